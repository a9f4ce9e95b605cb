"""The pooling beside Chainer's."""

import functools

import chainer
from chainer import functions as F
from chainer import gradient_check
from chainer.utils import type_check
import numpy
import pytest

from quantized_net import functions
import testing

TOLERANCE = {'e': 5e-3, 'f': 1e-5, 'd': 1e-12}

assert_close = functools.partial(testing.assert_close, to_largest=False)

# shape, arguments
CASES = [
    ((2, 3, 6, 8), {'ksize': 2}),
    ((2, 3, 7, 5), {'ksize': 3, 'stride': 2, 'pad': 1}),
    ((1, 5, 5, 4), {'ksize': 3, 'stride': 1, 'pad': 1}),
    ((2, 17, 6, 7), {'ksize': (3, 2), 'stride': (2, 1), 'pad': (1, 0)}),
    ((2, 1, 7, 7), {'ksize': 2, 'stride': 3}),
    ((1, 2, 20, 34), {'ksize': 17})]


def draw(shape, dtype):
    """No two values of it are near each other."""
    n = int(numpy.prod(shape))
    return (numpy.random.permutation(n).reshape(shape) / n).astype(dtype)


KINDS = {
    'max': (F.max_pooling_2d, functions.max_pooling_2d),
    'max, cover_all=False': [
        lambda *args, f=f, **options: f(*args, cover_all=False, **options)
        for f in (F.max_pooling_2d, functions.max_pooling_2d)],
    'average': (F.average_pooling_2d, functions.average_pooling_2d)}


@pytest.fixture(params=KINDS)
def both(request):
    """Chainer's function, and ours."""
    return KINDS[request.param]


@pytest.mark.parametrize('shape,options', CASES)
@pytest.mark.parametrize('dtype', ['e', 'f', 'd'])
def test_output_and_gradients(device, both, shape, options, dtype):
    x = device.send(draw(shape, dtype))

    def compute(function):
        variable = chainer.Variable(x.copy())
        y = function(variable, **options)
        y.grad = device.send(
            numpy.random.RandomState(3).uniform(-1, 1, y.shape).astype(dtype))
        y.backward()
        return y, variable.grad

    assert_close(map(compute, both), TOLERANCE[dtype])


@pytest.mark.parametrize('shape,options', CASES)
@pytest.mark.parametrize('dtype', ['f', 'd'])
def test_second_gradients(device, both, shape, options, dtype):
    x = device.send(draw(shape, dtype))
    ggx = device.send(draw(shape, dtype))

    def compute(function):
        variable = chainer.Variable(x.copy())
        y = function(variable, **options)
        gy = chainer.Variable(y.array ** 2)
        gx, = chainer.grad(
            [y * y], [variable], [gy], enable_double_backprop=True)
        chainer.backward([gx], [chainer.Variable(ggx)])
        return y, gx, variable.grad, gy.grad

    assert_close(map(compute, both), TOLERANCE[dtype])


@pytest.mark.parametrize('kind', KINDS)
def test_numerical_second_derivative(device, kind):
    shape, options = CASES[1]
    x = device.send(draw(shape, 'd'))
    function = KINDS[kind][1]
    gy = device.send(draw(function(x, **options).shape, 'd'))
    gradient_check.check_double_backward(
        lambda x: function(x, **options) ** 2, x, gy,
        device.send(draw(shape, 'd')), dtype='d', atol=1e-3, rtol=1e-3,
        eps=1e-4)


@pytest.mark.parametrize('fill', ['ties', 'nan', '-inf'])
def test_special_values(device, fill):
    """The gradient goes where Chainer sends it on the CPU."""
    x = numpy.random.randint(-1, 2, (2, 5, 7, 6)).astype('f')
    if fill == 'nan':
        x[numpy.random.uniform(size=x.shape) < .2] = numpy.nan
    elif fill == '-inf':
        x[:, ::2] = -numpy.inf
    if device.xp is not numpy and fill == 'nan':
        pytest.skip('Chainer passes over NaN on a GPU')
    options = {'ksize': 3, 'stride': 2, 'pad': 1}
    gy = numpy.random.uniform(1, 2, (2, 5, 4, 4)).astype('f')

    def compute(function):
        variable = chainer.Variable(device.send(x))
        y = function(variable, **options)
        y.grad = device.send(gy)[:, :, :y.shape[2], :y.shape[3]]
        y.backward()
        return y, variable.grad

    assert_close(map(compute, KINDS['max']), 1e-6)


def test_views_of_larger_arrays(device, both):
    whole = device.send(draw((4, 6, 9, 9), 'f'))

    def compute(function):
        variable = chainer.Variable(whole)
        y = function(variable[::2, ::-2, 1:, ::-1], 2)
        chainer.backward([y], [chainer.Variable(
            whole[:2, 3:, :y.shape[2], ::-1][..., :y.shape[3]])])
        return y, variable.grad

    assert_close(map(compute, both), 1e-5)


def test_indices(device):
    x = device.send(draw((2, 3, 6, 6), 'f'))
    assert_close([f(x, 3, 2, 1, return_indices=True) for f in KINDS['max']],
                 0)


@pytest.mark.parametrize('shape,dtype', [
    ((2, 3, 4), 'f'), ((2, 3, 4, 4, 4), 'f'), ((2, 3, 4, 4), 'i')])
def test_type_errors(device, both, shape, dtype):
    x = device.send(numpy.ones(shape, dtype))
    errors = []
    for function in both:
        with pytest.raises((type_check.InvalidType, ValueError)) as caught:
            function(x, 2)
        errors.append(caught.type)
    assert errors[0] == errors[1]


def test_window_larger_than_the_image(device):
    x = device.send(numpy.ones((2, 3, 4, 4), 'f'))
    for function in (functions.average_pooling_2d,
                     KINDS['max, cover_all=False'][1]):
        with pytest.raises(AssertionError, match='positive'):
            function(x, 5)
