"""The convolution beside Chainer's."""

import chainer
from chainer import functions as F
from chainer import gradient_check
from chainer.utils import type_check
import numpy
import pytest

from quantized_net import functions
from testing import assert_close, to_cpu

TOLERANCE = {'e': 2e-2, 'f': 2e-5, 'd': 1e-10}

# x, W, arguments
CASES = [
    ((2, 3, 7, 6), (5, 3, 3, 3), {'pad': 1}),
    ((1, 4, 5, 5), (6, 4, 1, 1), {'stride': 2}),
    ((3, 4, 7, 8), (6, 2, 3, 2), {'stride': (2, 1), 'pad': (1, 0),
                                  'groups': 2}),
    ((2, 4, 9, 7), (8, 1, 3, 3), {'dilate': 2, 'groups': 4, 'pad': 2}),
    ((2, 3, 8, 8), (5, 3, 3, 3), {'stride': 3, 'cover_all': True}),
    ((2, 3, 9, 9), (5, 3, 2, 2), {'stride': 4, 'dilate': (1, 2)})]


def draw(shape, dtype):
    return numpy.random.uniform(-1, 1, shape).astype(dtype)


def both(device, arrays, compute):
    """What Chainer's function gives, and ours."""
    for function in (F.convolution_2d, functions.convolution_2d):
        yield compute(function, *[
            None if a is None else chainer.Variable(device.send(a.copy()))
            for a in arrays])


@pytest.mark.parametrize('x_shape,W_shape,options', CASES)
@pytest.mark.parametrize('dtype', ['e', 'f', 'd'])
@pytest.mark.parametrize('with_bias', [False, True])
def test_output_and_gradients(device, x_shape, W_shape, options, dtype,
                              with_bias):
    x, W, b = [draw(shape, dtype)
               for shape in (x_shape, W_shape, W_shape[:1])]
    gy = draw(F.convolution_2d(x, W, **options).shape, dtype)

    def compute(function, x, W, b):
        y = function(x, W, b, **options)
        y.grad = device.send(gy)
        y.backward()
        return [y, x.grad, W.grad] + ([] if b is None else [b.grad])

    assert_close(both(device, (x, W, b if with_bias else None), compute),
                 TOLERANCE[dtype])


@pytest.mark.parametrize('x_shape,W_shape,options', CASES)
@pytest.mark.parametrize('dtype', ['e', 'f', 'd'])
def test_second_gradients(device, x_shape, W_shape, options, dtype):
    x, W, b = [draw(shape, dtype)
               for shape in (x_shape, W_shape, W_shape[:1])]
    gy = draw(F.convolution_2d(x, W, **options).shape, dtype)
    ggx, ggW = draw(x_shape, dtype), draw(W_shape, dtype)

    def compute(function, x, W, b, gy):
        y = function(x, W, b, **options)
        gx, gW, gb = chainer.grad(
            [y], [x, W, b], [gy], enable_double_backprop=True)
        chainer.backward([gx, gW], [chainer.Variable(device.send(a))
                                    for a in (ggx, ggW)])
        return gx, gW, gb, x.grad, W.grad, gy.grad

    assert_close(both(device, (x, W, b, gy), compute), TOLERANCE[dtype])


@pytest.mark.parametrize('x_shape,W_shape,options', CASES[::2])
def test_numerical_second_derivative(device, x_shape, W_shape, options):
    arrays = [device.send(draw(shape, 'd'))
              for shape in (x_shape, W_shape, W_shape[:1])]
    gy = draw(F.convolution_2d(*map(to_cpu, arrays), **options).shape, 'd')
    gradient_check.check_double_backward(
        lambda *args: functions.convolution_2d(*args, **options), arrays,
        device.send(gy), [device.send(draw(a.shape, 'd')) for a in arrays],
        dtype='d', atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize('of', [0, 1, 2])
def test_gradient_of_one_input_only(device, of):
    arrays = [draw(s, 'f') for s in ((2, 3, 5, 5), (4, 3, 3, 3), (4,))]

    def compute(function, *variables):
        inputs = [v if i == of else v.array
                  for i, v in enumerate(variables)]
        y = function(*inputs)
        y.grad = y.xp.ones_like(y.array) / 2
        y.backward()
        assert [v.grad is None for v in variables].count(False) == 1
        return y, variables[of].grad

    assert_close(both(device, arrays, compute), 1e-5)


@pytest.mark.parametrize('dtypes', ['fd', 'df', 'ef', 'fe'])
def test_mixed_types(device, dtypes):
    x, W = draw((2, 3, 5, 5), dtypes[0]), draw((4, 3, 3, 3), dtypes[1])

    def compute(function, x, W):
        y = function(x, W)
        y.grad = y.xp.ones_like(y.array)
        y.backward()
        return y, x.grad, W.grad

    assert_close(both(device, (x, W), compute),
                 2e-2 if 'e' in dtypes else 1e-5)


def test_strided_inputs(device):
    """Views of larger arrays: forwards, and on the way back."""
    whole = draw((4, 6, 9, 9), 'f')
    W = draw((7, 3, 3, 3), 'f')
    gy = draw((2, 14, 5, 5), 'f')

    def compute(function, whole, W):
        y = function(whole[::2, ::-2, 1:, :-1][:, :, ::-1], W, stride=2,
                     pad=1)
        y = F.concat([y, y * 2])[:, :, 1:, 1:]
        chainer.backward([y], [chainer.Variable(
            device.send(gy)[:, ::-1, :-2, :-2])])
        return y, whole.grad, W.grad

    assert_close(both(device, (whole, W), compute), 1e-5)


@pytest.mark.parametrize('x_shape,W_shape,options', CASES[:2])
@pytest.mark.parametrize('dtype', ['e', 'f', 'd'])
@pytest.mark.parametrize('broadcast', [False, True])
def test_residual(device, x_shape, W_shape, options, dtype, broadcast):
    x, W = draw(x_shape, dtype), draw(W_shape, dtype)
    shape = F.convolution_2d(x, W, **options).shape
    residual = draw(shape[:2] + (1, 1) if broadcast else shape, dtype)
    gy = draw(shape, dtype)

    def compute(function, x, W, residual):
        if function is F.convolution_2d:
            y = function(x, W, **options) + residual
        else:
            y = function(x, W, residual=residual, **options)
        y.grad = device.send(gy)
        y.backward()
        return [y, x.grad, W.grad, residual.grad]

    assert_close(both(device, (x, W, residual), compute), TOLERANCE[dtype])


def test_residual_stays_as_it_is(device):
    x, W, residual = [
        device.send(draw(shape, 'f'))
        for shape in ((2, 3, 7, 6), (5, 3, 3, 3), (2, 5, 5, 4))]
    before = residual.copy()
    y = functions.convolution_2d(x, W, residual=residual)
    z = functions.convolution_2d(x, W, residual=y)
    assert_close([[before, y - residual], [residual, z - y]], 1e-5)


@pytest.mark.parametrize('n', [0, 1])
def test_small_batches(device, n):
    x, W = draw((n, 3, 5, 5), 'f'), draw((4, 3, 3, 3), 'f')
    y = functions.convolution_2d(device.send(x), device.send(W))
    assert y.shape == (n, 4, 3, 3) and y.dtype == numpy.float32


@pytest.mark.parametrize('shapes,dtypes', [
    (((2, 3, 5, 5), (4, 2, 3, 3)), 'ff'),
    (((3, 5, 5), (4, 3, 3, 3)), 'ff'),
    (((2, 3, 5, 5), (4, 3, 3)), 'ff'),
    (((2, 3, 5, 5), (4, 3, 3, 3)), 'if'),
    (((2, 3, 5, 5), (4, 3, 3, 3)), 'fi'),
    (((2, 3, 5, 5), (4, 3, 3, 3), (3,)), 'fff'),
    (((2, 3, 5, 5), (4, 3, 3, 3), (4, 1)), 'fff'),
    (((2, 3, 5, 5), (4, 3, 3, 3), (4,)), 'ffd')])
def test_type_errors(device, shapes, dtypes):
    arrays = [device.send(numpy.ones(s, t)) for s, t in zip(shapes, dtypes)]
    for function in (F.convolution_2d, functions.convolution_2d):
        with pytest.raises(type_check.InvalidType):
            function(*arrays)


def test_kernel_larger_than_the_image(device):
    x, W = [device.send(numpy.ones(s, 'f'))
            for s in ((2, 3, 4, 4), (4, 3, 5, 5))]
    with pytest.raises((AssertionError, RuntimeError), match='positive'):
        functions.convolution_2d(x, W)


def test_channels_that_the_groups_do_not_divide():
    # as small as can be: what is written beyond an end falls into its
    # rounding
    x, W = numpy.ones((1, 2, 3, 3), 'f'), numpy.ones((5, 1, 1, 1), 'f')
    for function in (F.convolution_2d, functions.convolution_2d):
        with pytest.raises(ValueError):
            function(x, W, groups=2)


@pytest.mark.parametrize('options', [{'dilate': 0}, {'deterministic': True}])
def test_bad_options(options):
    x = numpy.ones((1, 1, 3, 3), 'f')
    with pytest.raises(ValueError):
        functions.convolution_2d(x, x, **options)
