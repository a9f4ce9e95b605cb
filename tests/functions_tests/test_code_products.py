"""Products of small codes on every device, beside Chainer's."""

import chainer
from chainer import functions as F
import numpy
import pytest

from quantized_net import functions
from testing import assert_close, to_cpu

SIGNS = functions.Grid(1., 1)
FOUR_BITS = functions.Grid(.125, 8)


def draw(kind, shape, dtype='f'):
    """Values, and their grid."""
    choice = numpy.random.choice
    if kind == 'signs':
        return choice([-1, 1], shape).astype(dtype), SIGNS
    if kind == 'trits':
        return choice([-1, 0, 1], shape).astype(dtype), SIGNS
    if kind == 'ternary':
        return choice([-.75, 0, .25], shape).astype(dtype), None
    return (numpy.random.randint(-8, 8, shape) / 8).astype(dtype), FOUR_BITS


# what float32 adds up exactly in any order: Chainer's function is right
X_KINDS, W_KINDS = ['signs', 'trits', '4 bits'], [
    'signs', 'ternary', '4 bits']


@pytest.mark.parametrize('channels', [16, 19, 64])
@pytest.mark.parametrize('kernel', [3, 5])
@pytest.mark.parametrize('x_kind', X_KINDS)
@pytest.mark.parametrize('W_kind', W_KINDS)
@pytest.mark.parametrize('groups', [1, 2])
def test_exact_convolution(device, channels, kernel, x_kind, W_kind, groups):
    x, x_grid = draw(x_kind, (2, groups * channels, 9, 8))
    W, W_grid = draw(W_kind, (32, channels, kernel, kernel))
    for bias in (None, numpy.random.normal(size=32).astype('f')):
        arrays = [None if a is None else device.send(a)
                  for a in (x, W, bias)]
        y, z = [to_cpu(function(*arrays, pad=1, groups=groups, **options))
                for function, options in ((F.convolution_2d, {}), (
                    functions.convolution_2d, {'grids': (x_grid, W_grid)}))]
        numpy.testing.assert_array_equal(z, y)


@pytest.mark.parametrize('x_kind', X_KINDS)
@pytest.mark.parametrize('W_kind', W_KINDS)
@pytest.mark.parametrize('nobias', [False, True])
def test_exact_linear(device, x_kind, W_kind, nobias):
    x, x_grid = draw(x_kind, (7, 3, 100))
    W, W_grid = draw(W_kind, (11, 100))
    b = None if nobias else device.send(draw('signs', 11)[0] / 3)
    found = functions.code_linear(
        device.send(x), device.send(W), b, 2, grids=(x_grid, W_grid))
    numpy.testing.assert_array_equal(to_cpu(found), to_cpu(F.linear(
        device.send(x), device.send(W), b, 2)))


def test_every_device_gives_the_same(device):
    """Scales that are no powers of two: in the documented order."""
    x, _ = draw('signs', (2, 16, 9, 9))
    W = numpy.random.choice([-.77, 0, .31], (16, 16, 3, 3)).astype('f')
    W[3] = abs(W[3])
    W[5] = numpy.sign(W[5]) * numpy.float32(.37)
    W[7] = 0
    parts = [F.convolution_2d(x, (W == v[:, None, None, None]).astype('f'),
                              pad=1).array for v in (
        W.max(axis=(1, 2, 3)), W.min(axis=(1, 2, 3)))]
    u, v = [m[:, None, None] for m in (W.max(axis=(1, 2, 3)),
                                       W.min(axis=(1, 2, 3)))]
    expected = u * parts[0] + v * parts[1]
    # W[3] has two positive values, W[5] one scale
    small = numpy.where(W[3] > 0, W[3], 9).min()
    expected[:, 3] = u[3] * parts[0][:, 3] + small * F.convolution_2d(
        x, (W[3:4] == small).astype('f'), pad=1).array[:, 0]
    expected[:, 5] = u[5] * (parts[0] - parts[1])[:, 5]
    y = functions.convolution_2d(
        device.send(x), device.send(W), pad=1, grids=(SIGNS, None))
    numpy.testing.assert_array_equal(to_cpu(y), expected)


@pytest.mark.parametrize('x_kind', ['signs', '4 bits'])
@pytest.mark.parametrize('W_kind', W_KINDS)
@pytest.mark.parametrize('dtype', ['e', 'f', 'd'])
def test_gradients(device, x_kind, W_kind, dtype):
    tolerance = {'e': 2e-2, 'f': 2e-5, 'd': 1e-10}[dtype]
    for shapes, function, ours, options in (
            (((2, 16, 6, 5), (8, 16, 3, 3)), F.convolution_2d,
             functions.convolution_2d, {'pad': 1}),
            (((5, 30), (8, 30)), F.linear, functions.code_linear, {})):
        x, x_grid = draw(x_kind, shapes[0], dtype)
        W, W_grid = draw(W_kind, shapes[1], dtype)
        b = numpy.ones(8, dtype)
        results = []
        for compute, more in ((function, {}), (
                ours, {'grids': (x_grid, W_grid)})):
            variables = [chainer.Variable(device.send(a.copy()))
                         for a in (x, W, b)]
            y = compute(*variables, **options, **more)
            F.sum(F.sin(y)).backward()
            results.append([y] + [v.grad for v in variables])
        assert_close(results, tolerance)


@pytest.mark.parametrize('where', [0, 1])
@pytest.mark.parametrize('W_kind', W_KINDS)
def test_nan_comes_out(device, where, W_kind):
    for shapes, function in (
            (((2, 16, 6, 5), (8, 16, 3, 3)), functions.convolution_2d),
            (((5, 30), (8, 30)), functions.code_linear)):
        x, x_grid = draw('signs', shapes[0])
        W, W_grid = draw(W_kind, shapes[1])
        (x, W)[where].ravel()[0] = numpy.nan
        y = to_cpu(function(
            device.send(x), device.send(W), grids=(x_grid, W_grid)))
        assert numpy.isnan(y[0, 0]).any()
        # it stays in its image, or its filter
        assert not numpy.isnan(y[1:] if where == 0 else y[:, 1:]).any()


@pytest.mark.parametrize('n', [0, 1])
def test_small_batches(device, n):
    x = device.send(numpy.ones((n, 3, 5, 5), 'f'))
    W = device.send(numpy.ones((4, 3, 3, 3), 'f'))
    y = functions.convolution_2d(x, W, grids=(SIGNS, SIGNS))
    assert y.shape == (n, 4, 3, 3) and bool((y.array == 27).all())
    y = functions.code_linear(
        x.reshape(n, 75), W[:, :, 0, 0].repeat(25, 1), grids=(SIGNS, SIGNS))
    assert y.shape == (n, 4) and bool((y.array == 75).all())


def test_residual(device):
    x, x_grid = draw('signs', (2, 16, 5, 5))
    W, W_grid = draw('signs', (16, 16, 3, 3))
    x, W = device.send(x), device.send(W)
    y = functions.convolution_2d(
        x, W, pad=1, residual=x, grids=(x_grid, W_grid))
    numpy.testing.assert_array_equal(
        to_cpu(y), to_cpu(F.convolution_2d(x, W, pad=1) + x))
