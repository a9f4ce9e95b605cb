"""BatchNormalization beside Chainer's, with an addition and a ReLU."""

import chainer
from chainer import functions as F
from chainer import gradient_check
from chainer.utils import type_check
import numpy
import pytest

from quantized_net import functions
from testing import assert_close, to_cpu

TOLERANCE = {'e': 2e-2, 'f': 1e-4, 'd': 1e-10}
SHAPES = [(6, 5), (4, 3, 5, 2), (40, 70), (3, 2, 1, 1), (5, 3, 4)]


def draw(shape, dtype, low=-1):
    return numpy.random.uniform(low, 1, shape).astype(dtype)


def chainers(x, gamma, beta, residual=None, relu=False, **options):
    y = F.batch_normalization(x, gamma, beta, **options)
    if residual is not None:
        y = y + residual
    return F.relu(y) if relu else y


def chainers_fixed(*args, residual=None, relu=False, **options):
    y = F.fixed_batch_normalization(*args, **options)
    if residual is not None:
        y = y + residual
    return F.relu(y) if relu else y


BOTH = chainers, functions.batch_normalization
BOTH_FIXED = chainers_fixed, functions.fixed_batch_normalization


def arrays_of(shape, dtype, with_residual):
    return [draw(shape, dtype), draw(shape[1:2], dtype, .5),
            draw(shape[1:2], dtype)] + [draw(shape, dtype)] * with_residual


def test_sums_do_not_overflow_in_half_precision(device):
    x = chainer.Variable(device.send(
        30 + numpy.random.normal(size=(8000, 2)).astype('e')))
    gamma, beta = [device.send(numpy.array(v, 'e')) for v in ([1, 2], [0, 1])]
    y = functions.batch_normalization(x, gamma, beta)
    assert y.dtype == numpy.float16
    numpy.testing.assert_allclose(
        to_cpu(y).astype('f').mean(axis=0), [0, 1], atol=.02)
    numpy.testing.assert_allclose(
        to_cpu(y).astype('f').std(axis=0), [1, 2], .02)


@pytest.mark.parametrize('shape', SHAPES[:4])
@pytest.mark.parametrize('dtype', ['e', 'f', 'd'])
@pytest.mark.parametrize('relu', [False, True])
@pytest.mark.parametrize('with_residual', [False, True])
def test_output_and_gradients(device, shape, dtype, relu, with_residual):
    arrays = arrays_of(shape, dtype, with_residual)
    # no gradient hangs on the rounding of an output near zero
    y = chainers(*[a.astype('d') for a in arrays], eps=1e-3)
    gy = draw(shape, dtype) * (abs(y.array) > TOLERANCE[dtype])

    def compute(function):
        inputs = [chainer.Variable(device.send(a.copy())) for a in arrays]
        y = function(*inputs[:3], residual=inputs[3] if with_residual
                     else None, relu=relu, eps=1e-3)
        y.grad = device.send(gy)
        y.backward()
        return [y] + [v.grad for v in inputs]

    assert_close(map(compute, BOTH), TOLERANCE[dtype])


@pytest.mark.parametrize('shape', SHAPES[:2])
@pytest.mark.parametrize('dtype', ['e', 'f', 'd'])
@pytest.mark.parametrize('relu', [False, True])
@pytest.mark.parametrize('with_residual', [False, True])
@pytest.mark.parametrize('double_backprop', [False, True])
def test_gradients_are_accumulated(
        device, shape, dtype, relu, with_residual, double_backprop):
    """Those of a shortcut, of a second use, and what was there before."""
    arrays = arrays_of(shape, dtype, with_residual)
    gy = draw(shape, dtype)

    def compute(function):
        inputs = [chainer.Parameter(device.send(a.copy())) for a in arrays]
        for p in inputs:
            p.grad = p.xp.ones_like(p.array)
        h = inputs[0] * 2
        y = h + function(
            h, *inputs[1:3], residual=h if with_residual else None,
            relu=relu, eps=1e-3)
        if with_residual:
            y += inputs[3] * h
        z = function(y, *inputs[1:3], relu=relu, eps=1e-3) * h
        z.grad = device.send(gy)
        z.backward(enable_double_backprop=double_backprop)
        return [z] + [p.grad for p in inputs]

    assert_close(map(compute, BOTH), 5 * TOLERANCE[dtype])


@pytest.mark.parametrize('shape', SHAPES[:3])
@pytest.mark.parametrize('dtype', ['f', 'd'])
@pytest.mark.parametrize('relu', [False, True])
@pytest.mark.parametrize('with_residual', [False, True])
def test_second_gradients(device, shape, dtype, relu, with_residual):
    arrays = arrays_of(shape, dtype, with_residual) + [draw(shape, dtype)]
    others = [draw(a.shape, dtype) for a in arrays[:-1]]

    def compute(function):
        inputs = [chainer.Variable(device.send(a.copy())) for a in arrays]
        gy = inputs.pop()
        y = function(*inputs[:3], residual=inputs[3] if with_residual
                     else None, relu=relu, eps=1e-2)
        gradients = chainer.grad(
            [y], inputs, [gy], enable_double_backprop=True)
        chainer.backward(gradients, [
            chainer.Variable(device.send(a)) for a in others])
        return gradients + [inputs[0].grad, inputs[1].grad, gy.grad]

    assert_close(map(compute, BOTH), 3e-4 if dtype == 'f' else 1e-9)


@pytest.mark.parametrize('shape', SHAPES[:2])
def test_numerical_second_derivative(device, shape):
    arrays = [device.send(a) for a in arrays_of(shape, 'd', True)]
    gradient_check.check_double_backward(
        lambda x, gamma, beta, residual: functions.batch_normalization(
            x, gamma, beta, eps=.1, residual=residual), arrays,
        device.send(draw(shape, 'd')),
        [device.send(draw(a.shape, 'd')) for a in arrays],
        dtype='d', atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize('which', range(4))
@pytest.mark.parametrize('relu', [False, True])
def test_gradient_of_one_input_only(device, which, relu):
    arrays = arrays_of((4, 3, 5, 2), 'f', True)
    gy = draw((4, 3, 5, 2), 'f')

    def compute(function):
        inputs = [device.send(a) for a in arrays]
        variable = inputs[which] = chainer.Variable(inputs[which])
        y = function(*inputs[:3], residual=inputs[3], relu=relu)
        y.grad = device.send(gy)
        y.backward()
        return y, variable.grad

    assert_close(map(compute, BOTH), 1e-4)


def test_parameters_alone_have_gradients(device):
    """The input and the residual are plain arrays."""
    x, gamma, beta, residual = [
        device.send(a) for a in arrays_of((6, 5), 'f', True)]

    def compute(function):
        params = [chainer.Parameter(a.copy()) for a in (gamma, beta)]
        y = function(x, *params, residual=residual)
        y.grad = x
        y.backward()
        return [y] + [p.grad for p in params]

    assert_close(map(compute, BOTH), 1e-4)


@pytest.mark.parametrize('shape', SHAPES + [(2, 5), (1, 5, 2, 1)])
@pytest.mark.parametrize('dtype', ['e', 'f', 'd'])
@pytest.mark.parametrize('decay', [.9, 0., .5])
def test_running_statistics(device, shape, dtype, decay):
    x, gamma, beta = [
        device.send(a) for a in arrays_of(shape, dtype, False)]
    if x.ndim == 3:
        gamma = beta = device.send(draw(shape[1:], dtype))

    def compute(function):
        mean, var = [gamma.copy() for _ in range(2)]
        for step in range(3):
            y = function(x * (step + 1), gamma, beta, running_mean=mean,
                         running_var=var, decay=decay)
        return y, mean, var

    assert_close(map(compute, BOTH), TOLERANCE[dtype])


@pytest.mark.parametrize('shape', SHAPES[:4])
@pytest.mark.parametrize('dtype', ['e', 'f', 'd'])
@pytest.mark.parametrize('relu', [False, True])
@pytest.mark.parametrize('with_residual', [False, True])
@pytest.mark.parametrize('backprop', [False, True])
def test_fixed(device, shape, dtype, relu, with_residual, backprop):
    arrays = [device.send(a)
              for a in arrays_of(shape, dtype, with_residual)]
    mean, var = [device.send(draw(shape[1:2], dtype, .1)) for _ in range(2)]

    def compute(function):
        inputs = [chainer.Variable(a.copy()) for a in arrays]
        with chainer.using_config('enable_backprop', backprop):
            y = function(
                *inputs[:3], mean, var, eps=1e-3, relu=relu,
                residual=inputs[3] if with_residual else None)
        if not backprop:
            assert y.creator is None
            return y,
        y.grad = y.xp.ones_like(y.array) / 2
        y.backward()
        return [y] + [v.grad for v in inputs]

    assert_close(map(compute, BOTH_FIXED), TOLERANCE[dtype])


@pytest.mark.parametrize('shape,axis', [
    ((6, 5), (0,)), ((6, 5), 0), ((6, 5), (1,)), ((6, 5), 1),
    ((4, 3, 5, 2), (0, 2, 3)), ((4, 3, 5, 2), (0, 1, 2)),
    ((4, 3, 5, 2), (0,)), ((4, 3, 5, 2), 0)])
def test_axis(device, shape, axis):
    axes = axis if isinstance(axis, tuple) else (axis,)
    key = tuple(n for i, n in enumerate(shape) if i not in axes)
    x, gamma, beta, mean, var = [
        device.send(draw(s, 'f', .1)) for s in (shape,) + 4 * (key,)]
    assert_close([[f(x, gamma, beta, axis=axis)] for f in BOTH], 1e-4)
    with chainer.no_backprop_mode():
        assert_close([[f(x, gamma, beta, mean, var, axis=axis)]
                      for f in BOTH_FIXED], 1e-4)


def test_views_of_larger_arrays(device):
    whole = device.send(draw((8, 12), 'f', .1))
    x = whole[::2, ::-2]
    gamma, beta, mean, var = whole[1:5, ::2]

    def compute(function):
        inputs = [chainer.Variable(a) for a in (x, gamma, beta)]
        y = function(*inputs)
        y.grad = whole[:4, 1::2]
        y.backward()
        return [y] + [v.grad for v in inputs]

    assert_close(map(compute, BOTH), 1e-4)
    with chainer.no_backprop_mode():
        assert_close([[f(x, gamma, beta, mean, var)] for f in BOTH_FIXED],
                     1e-4)


def test_running_statistics_that_are_views(device):
    x, gamma, beta = [device.send(a) for a in arrays_of((6, 5), 'f', False)]
    whole = device.send(draw((2, 10), 'f'))

    def compute(function):
        both = whole.copy()
        function(x, gamma, beta, running_mean=both[0, ::2],
                 running_var=both[1, ::-2])
        return both,

    assert_close(map(compute, BOTH), 1e-4)


def test_residual_that_is_broadcast(device):
    x, gamma, beta = [device.send(a) for a in arrays_of((6, 5), 'f', False)]
    for residual in (gamma, x[:1], x[:, :1]):
        def compute(function, residual=residual):
            variable = chainer.Variable(residual)
            y = function(x, gamma, beta, residual=variable, relu=True)
            y.grad = x
            y.backward()
            return y, variable.grad

        assert_close(map(compute, BOTH), 1e-4)
        with chainer.no_backprop_mode():
            assert_close([
                [f(x, gamma, beta, beta, gamma, residual=residual)]
                for f in BOTH_FIXED], 1e-4)


@pytest.mark.parametrize('relu', [False, True])
def test_nan_is_kept(device, relu):
    x, gamma, beta = arrays_of((6, 5), 'f', False)
    x[2, 3] = numpy.nan
    inputs = [device.send(a) for a in (x, gamma, beta)]
    y = to_cpu(functions.batch_normalization(*inputs, relu=relu))
    assert (numpy.isnan(y) == (numpy.arange(5) == 3)).all()
    with chainer.no_backprop_mode():
        y = to_cpu(functions.fixed_batch_normalization(
            *inputs, inputs[2], inputs[1], relu=relu))
    assert (numpy.isnan(y) == numpy.isnan(x)).all()


def test_one_sample_warns(device):
    x, gamma, beta = [device.send(a) for a in arrays_of((1, 5), 'f', False)]
    with pytest.warns(UserWarning, match='no more than one sample'):
        y = functions.batch_normalization(x, gamma, beta)
    numpy.testing.assert_allclose(to_cpu(y)[0], to_cpu(beta))


@pytest.mark.parametrize('shapes,dtypes', [
    (((6, 5), (4,), (4,)), 'fff'), (((6, 5), (5,), (4,)), 'fff'),
    (((6, 5), (5,), (5,)), 'iff'), (((6, 5), (5,), (5,)), 'fii'),
    (((6, 5), (5,), (5,)), 'ffd'), (((6, 5), (1,), (1,)), 'fff'),
    (((4, 3, 5, 2), (4,), (4,)), 'fff')])
def test_type_errors(device, shapes, dtypes):
    arrays = [device.send(numpy.ones(s, t)) for s, t in zip(shapes, dtypes)]
    for function in BOTH:
        with pytest.raises(type_check.InvalidType):
            function(*arrays)
    with chainer.no_backprop_mode():
        for function in BOTH_FIXED:
            with pytest.raises(type_check.InvalidType):
                function(*arrays, *arrays[1:])


def test_axis_out_of_order():
    x, gamma, beta = arrays_of((4, 3, 5, 2), 'f', False)
    for function in BOTH:
        with pytest.raises(RuntimeError, match='ascending'):
            function(x, gamma, beta, axis=(2, 0, 3))
