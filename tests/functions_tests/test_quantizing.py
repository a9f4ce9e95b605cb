"""The quantizing functions: values, boundaries, gradients."""

import chainer
import numpy
import pytest

from quantized_net import functions

NAN = float('nan')
INF = float('inf')

SHAPES = [(), (1,), (7,), (3, 5), (2, 3, 5, 1), (0, 4)]
DTYPES = [numpy.float16, numpy.float32, numpy.float64]


def reference_sign(x):
    return numpy.where(x >= 0, 1, -1).astype(x.dtype)


def reference_linear(x):
    return numpy.clip(numpy.round(x / .25) * .25, -1, .75).astype(x.dtype)


def reference_log(x):
    exact = x.astype(numpy.float64)
    with numpy.errstate(divide='ignore'):
        y = numpy.sign(exact) * 2 ** numpy.round(numpy.log2(abs(exact)))
    return numpy.clip(y, -1, 1).astype(x.dtype)


FUNCTIONS = {
    'sign': (functions.sign, reference_sign),
    'linear_quant': (
        lambda x, **k: functions.linear_quant(x, .25, -1, .75, **k),
        reference_linear),
    'log_quant': (functions.log_quant, reference_log),
}


@pytest.mark.parametrize('name', FUNCTIONS)
@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize('shape', SHAPES)
def test_forward(device, name, dtype, shape):
    function, reference = FUNCTIONS[name]
    x = numpy.asarray(numpy.random.uniform(-2, 2, shape), dtype)
    y = function(device.send(x))
    assert y.dtype == dtype
    assert y.shape == shape
    numpy.testing.assert_array_equal(
        chainer.get_device('@numpy').send(y.array), reference(x))


@pytest.mark.parametrize('name', FUNCTIONS)
def test_forward_not_contiguous(device, name):
    function, reference = FUNCTIONS[name]
    x = numpy.random.uniform(-2, 2, (6, 8)).astype('f')
    y = function(device.send(x).T[::2])
    numpy.testing.assert_array_equal(
        chainer.get_device('@numpy').send(y.array), reference(x.T[::2]))


@pytest.mark.parametrize('name', FUNCTIONS)
def test_forward_leaves_the_input(device, name):
    x = device.send(numpy.random.uniform(-2, 2, (6, 8)).astype('f'))
    before = x.copy()
    FUNCTIONS[name][0](x)
    assert (x == before).all()


@pytest.mark.parametrize('name', FUNCTIONS)
def test_forward_is_idempotent(device, name):
    function = FUNCTIONS[name][0]
    y = function(device.send(
        numpy.random.uniform(-2, 2, (50, 8)).astype('f'))).array
    assert (function(y).array == y).all()


@pytest.mark.parametrize('name', FUNCTIONS)
@pytest.mark.parametrize('clip_value', [1.0, .5, None])
@pytest.mark.parametrize('dtype', DTYPES)
def test_gradient(device, name, clip_value, dtype):
    x = numpy.random.uniform(-2, 2, (4, 9)).astype(dtype)
    x[0, :3] = [1, -1, .5]
    gy = numpy.random.uniform(-1, 1, (4, 9)).astype(dtype)
    variable = chainer.Variable(device.send(x))
    y = FUNCTIONS[name][0](variable, clip_value=clip_value)
    y.grad = device.send(gy)
    y.backward()
    expected = gy
    if clip_value is not None:
        expected = numpy.where(abs(x) <= clip_value, gy, 0)
    assert variable.grad.dtype == dtype
    numpy.testing.assert_array_equal(
        chainer.get_device('@numpy').send(variable.grad), expected)


@pytest.mark.parametrize('name', FUNCTIONS)
def test_gradient_where_x_is_nan(device, name):
    x = chainer.Variable(device.send(numpy.array([NAN, .5], 'f')))
    y = FUNCTIONS[name][0](x)
    y.grad = device.send(numpy.ones(2, 'f'))
    y.backward()
    assert x.grad.tolist() == [0, 1]


def test_double_backward(device):
    x = chainer.Variable(device.send(numpy.array([.5, 2], 'f')))
    gy = chainer.Variable(device.send(numpy.array([3, 3], 'f')))
    gx, = chainer.grad(
        [functions.sign(x)], [x], [gy], enable_double_backprop=True)
    ggy, = chainer.grad([gx], [gy], [gy])
    assert ggy.array.tolist() == [3, 0]


@pytest.mark.parametrize('x,expected', [
    (0., 1), (-0., 1), (1e-45, 1), (-1e-45, -1), (INF, 1), (-INF, -1),
    (NAN, NAN)])
def test_sign_on_the_boundary(device, x, expected):
    for shape in ((1,), (2, 3)):
        for dtype in 'fd':
            array = device.send(numpy.full(shape, x, dtype))
            for a in (array, array.T):
                numpy.testing.assert_equal(
                    functions.sign(a).array.ravel()[0].item(), expected)


def test_stochastic_sign_of_nan(device):
    y = functions.stochastic_sign(
        device.send(numpy.array([NAN, 9], 'f'))).array
    numpy.testing.assert_equal(y.tolist(), [NAN, 1])


@pytest.mark.parametrize('x,expected', [
    (.125, 0), (.375, .5), (-.375, -.5), (.875, .75), (-5, -1), (INF, .75),
    (NAN, NAN)])
def test_linear_quant_on_the_boundary(device, x, expected):
    y = functions.linear_quant(
        device.send(numpy.array([x], 'f')), .25, -1, .75)
    numpy.testing.assert_equal(float(y.array[0]), expected)


@pytest.mark.parametrize('x,expected', [
    (0., 0.), (-0., -0.), (1.4142135, 1.), (1.4142137, 2.), (3., 4.),
    (-3., -4.), (1.1754944e-38, 1.1754944e-38), (1e-45, 0.), (INF, INF),
    (-INF, -INF), (NAN, NAN), (3.4e38, INF)])
def test_ap2_on_the_boundary(device, x, expected):
    y = functions.ap2(device.send(numpy.array([x], 'f')))
    numpy.testing.assert_equal(float(y[0]), float(numpy.float32(expected)))
    assert numpy.signbit(float(y[0])) == numpy.signbit(expected)


@pytest.mark.parametrize('dtype', DTYPES)
def test_ap2_against_the_logarithm(device, dtype):
    tiny = float(numpy.finfo(dtype).tiny)
    exponents = numpy.random.uniform(numpy.log2(tiny) + 1, 14, 10000)
    x = (2 ** exponents * numpy.random.choice([-1, 1], 10000)).astype(dtype)
    exact = x.astype(numpy.float64)
    expected = numpy.sign(exact) * 2 ** numpy.round(numpy.log2(abs(exact)))
    numpy.testing.assert_array_equal(
        chainer.get_device('@numpy').send(functions.ap2(device.send(x))),
        expected.astype(dtype))


def test_log_quant_with_lower_limit(device):
    x = numpy.array([.25, .2, .17, .1, -.2, -.1, 0, NAN, 2], 'f')
    y = functions.log_quant(device.send(x), min_exponent=-2)
    numpy.testing.assert_equal(
        chainer.get_device('@numpy').send(y.array),
        numpy.array([.25, .25, 0, 0, -.25, 0, 0, NAN, 1], 'f'))


@pytest.mark.parametrize('x,probability', [
    (-1.5, 0), (-1, 0), (-.5, .25), (0, .5), (.5, .75), (1, 1), (3, 1)])
def test_stochastic_sign(device, x, probability):
    n = 20000
    device.xp.random.seed(1)
    y = functions.stochastic_sign(
        device.send(numpy.full(n, x, 'f'))).array
    assert y.dtype == numpy.float32
    assert bool((abs(y) == 1).all())
    found = float((y > 0).sum()) / n
    # five standard deviations
    bound = 5 * (probability * (1 - probability) / n) ** .5
    assert abs(found - probability) <= bound


@pytest.mark.parametrize('make', [
    lambda x: functions.sign(x, clip_value=0),
    lambda x: functions.linear_quant(x, 0),
    lambda x: functions.linear_quant(x, .5, 1, 1),
    lambda x: functions.log_quant(x, min_exponent=1, max_exponent=0)])
def test_bad_arguments(make):
    with pytest.raises(ValueError):
        make(numpy.zeros(3, 'f'))


@pytest.mark.parametrize('name', FUNCTIONS)
def test_bad_dtype(name):
    with pytest.raises(chainer.utils.type_check.InvalidType):
        FUNCTIONS[name][0](numpy.zeros(3, 'i'))
