"""BatchNormalization's kernels beside their references, and the truth."""

import numpy
import pytest

from quantized_net.kernels import batch_normalization as bn
from quantized_net.kernels import native

needs_native = pytest.mark.skipif(
    native.library() is None,
    reason='the kernels are not compiled here (see show_config())')

SHAPES = [
    (2, 1), (7, 1), (3, 3), (1000, 3), (2, 16), (5, 64), (3, 1000),
    (1, 65, 3, 3), (40000, 16), (2, 1, 1, 1), (2, 1, 9, 5), (3, 3, 4, 5),
    (1, 16, 30, 31), (4, 64, 7, 3), (2, 1000, 2, 2), (30, 16, 40, 40),
    (9, 9000)]


@pytest.fixture(params=SHAPES)
def shape(request):
    return request.param


def draw(shape, last=False):
    x = numpy.random.uniform(-1, 1, shape).astype('f')
    return x if not last or x.ndim == 2 else numpy.ascontiguousarray(
        x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def draw_channels(shape, n):
    return [draw(shape[1:2]) for _ in range(n)]


def axis(x):
    return (0,) + tuple(range(2, x.ndim))


@pytest.mark.parametrize('mean,std,tolerance', [
    (0, 1, 2e-5), (1000, 1, 2e-5), (-1000, 30, 2e-5), (1, 1e-3, 2e-5)])
def test_moments(shape, mean, std, tolerance):
    x = (mean + std * numpy.random.normal(size=shape)).astype('f')
    if native.library() is None and mean:
        tolerance = 2e-2  # NumPy adds rows to float32 one by one
    exact = x.astype('d')
    found = bn.moments(x)
    assert [a.dtype for a in found] == ['f', 'f']
    assert [a.shape for a in found] == [shape[1:2]] * 2
    numpy.testing.assert_allclose(
        found[0], exact.mean(axis=axis(x)),
        1e-6 if native.library() else 1e-4, 1e-6 * std)
    numpy.testing.assert_allclose(
        found[1], exact.var(axis=axis(x)), tolerance)


@needs_native
def test_moments_of_constants():
    for value in (0, 1, 1000.1, -3e-5):
        for shape in ((500, 3), (3, 64, 9, 9)):
            x = numpy.full(shape, value, 'f')
            mean, variance = bn.moments(x)
            numpy.testing.assert_allclose(mean, x.flat[0], 2e-7)
            # of the mean no bit is right beyond a float's
            assert (variance >= 0).all()
            assert (variance <= (2e-7 * value) ** 2).all()


@needs_native
def test_moments_do_not_hang_on_the_first_rows():
    x = numpy.random.normal(size=(2000, 70)).astype('f')
    x[0] = 1000
    mean, variance = bn.moments(x)
    numpy.testing.assert_allclose(mean, x.astype('d').mean(axis=0), 1e-4)
    numpy.testing.assert_allclose(variance, x.astype('d').var(axis=0), 1e-3)


@needs_native
@pytest.mark.parametrize('last', [False, True])
@pytest.mark.parametrize('relu', [False, True])
@pytest.mark.parametrize('with_residual', [False, True])
def test_normalize(shape, last, relu, with_residual):
    x = draw(shape, last)
    residual = draw(shape, not last) if with_residual else None
    center, scale, shift = draw_channels(shape, 3)
    y = bn.normalize(x, center, scale, shift, residual, relu)
    assert y.dtype == numpy.float32 and y.shape == shape
    numpy.testing.assert_allclose(
        y, bn.normalize_reference(x, center, scale, shift, residual, relu),
        1e-5, 1e-6)


@needs_native
@pytest.mark.parametrize('last', [False, True])
@pytest.mark.parametrize('relu', [False, True])
@pytest.mark.parametrize('adds', [False, True])
def test_gradients(shape, last, relu, adds):
    x, gy = draw(shape, last), draw(shape, not last)
    mean, inv_std, gamma, beta = draw_channels(shape, 4)
    if relu:
        # no sign hangs on a rounding
        y = bn.normalize_reference(x, mean, gamma * inv_std, beta)
        gy[abs(y) < 1e-5] = 0
    args = (x, gy, mean, inv_std, gamma, beta if relu else None,
            draw(shape, last) if adds else None)
    found = bn.gradients(*args)
    expected = bn.gradients_reference(*[
        a if a is None else a.astype('d') for a in args])
    tolerance = 1e-7 * (x.size // shape[1]) ** .5
    for a, b, atol in zip(found, expected, (1e-5, tolerance, tolerance)):
        assert a.shape == b.shape and a.dtype == numpy.float32
        numpy.testing.assert_allclose(a, b, 1e-5, max(atol, 1e-6))


@pytest.mark.parametrize('suffix', ['', '_reference'])
def test_relu_of_the_gradients_is_that_of_the_output(shape, suffix):
    """Also where rounding gives the sign."""
    x = draw(shape)
    mean, inv_std, gamma = draw_channels(shape, 3)
    # an output of each channel is zero, but for rounding
    first = numpy.moveaxis(x, 1, -1).reshape(-1, shape[1])[0]
    beta = -(gamma * inv_std) * (first - mean)
    y = getattr(bn, 'normalize' + suffix)(
        x, mean, gamma * inv_std, beta, relu=True)
    gbeta = getattr(bn, 'gradients' + suffix)(
        x, numpy.ones_like(x), mean, inv_std, gamma, beta)[2]
    numpy.testing.assert_array_equal(gbeta, (y > 0).sum(axis=axis(x)))


def test_reference_of_the_gradients_is_the_derivative():
    x, gy = [draw((6, 3, 2, 2)).astype('d') for _ in range(2)]
    gamma, beta = [a.astype('d') for a in draw_channels(x.shape, 2)]

    def outputs():
        mean, variance = bn.moments_reference(x)
        inv_std = 1 / numpy.sqrt(variance + 1e-3)
        return mean, inv_std, bn.normalize_reference(
            x, mean, gamma * inv_std, beta)

    mean, inv_std, y = outputs()
    assert (y < 0).any() and (abs(y) > 1e-4).all()
    gradients = bn.gradients_reference(x, gy, mean, inv_std, gamma, beta)
    for values, found in zip((x, gamma, beta), gradients):
        assert values.shape == found.shape
        for i in range(0, values.size, 5):
            losses = []
            for step in (1e-6, -2e-6):
                values.flat[i] += step
                losses.append((numpy.maximum(outputs()[2], 0) * gy).sum())
            values.flat[i] += 1e-6
            assert found.flat[i] == pytest.approx(
                (losses[0] - losses[1]) / 2e-6, 1e-5, 1e-7)


@needs_native
def test_same_bits_for_any_number_of_threads(shape, threads):
    x, gy, residual = [draw(shape) for _ in range(3)]
    mean, inv_std, gamma, beta = draw_channels(shape, 4)
    results = []
    for n in (1, 2, 3):
        threads(n)
        y = bn.normalize(x, mean, gamma, beta, residual, True)
        results.append(bn.moments(x) + (y,) + bn.gradients(
            x, gy, mean, inv_std, gamma, beta, residual))
    for others in results[1:]:
        for a, b in zip(results[0], others):
            numpy.testing.assert_array_equal(a, b)


@pytest.mark.parametrize('where', ['first', 'last'])
@pytest.mark.parametrize('channels', [3, 64, 100])
def test_nan_is_kept(where, channels):
    x = draw((50, channels, 5, 5))
    x[(0, 1, 0, 0) if where == 'first' else (-1, 1, -1, -1)] = numpy.nan
    expected = numpy.arange(channels) == 1
    for a in bn.moments(x):
        assert (numpy.isnan(a) == expected).all()
    ones = numpy.ones(channels, 'f')
    for relu in (False, True):
        y = bn.normalize(x, ones, ones, ones, relu=relu)
        assert (numpy.isnan(y) == numpy.isnan(x)).all()
        y = bn.normalize(abs(draw(x.shape)), ones, ones, ones, x, relu)
        assert (numpy.isnan(y) == numpy.isnan(x)).all()
        y = bn.normalize(
            draw(x.shape), bn.moments(x)[0], ones, ones, relu=relu)
        assert (numpy.isnan(y).all(axis=(0, 2, 3)) == expected).all()
    gx, ggamma, gbeta = bn.gradients(x, draw(x.shape), ones, ones, ones)
    assert (numpy.isnan(ggamma) == expected).all()
    assert not numpy.isnan(gbeta).any()
    assert (numpy.isnan(gx).all(axis=(0, 2, 3)) == expected).all()


@pytest.mark.parametrize('suffix', ['', '_reference'])
def test_relu_at_zero(suffix):
    if not suffix and native.library() is None:
        pytest.skip('the kernels are not compiled here')
    x = numpy.array([[-1], [0], [1], [-0.]], 'f')
    zero, one = numpy.zeros(1, 'f'), numpy.ones(1, 'f')
    y = getattr(bn, 'normalize' + suffix)(x, zero, one, zero, relu=True)
    assert (y.ravel() == [0, 0, 1, 0]).all()
    # the gradient of the ReLU is 0 at 0
    gbeta = getattr(bn, 'gradients' + suffix)(
        x, numpy.ones_like(x), zero, one, one, zero)[2]
    assert gbeta == 1


@pytest.mark.parametrize('shape', [(4, 5), (4, 5, 2, 3)])
def test_channels_that_are_not_contiguous(shape):
    x, gy = draw(shape), draw(shape)
    plain = draw_channels(shape, 3)
    strided = [numpy.repeat(a, 2)[::2] for a in plain]
    for a in strided:
        a.base[1::2] = numpy.nan
    numpy.testing.assert_array_equal(
        bn.normalize(x, *strided), bn.normalize(x, *plain))
    for beta in (None, 0):
        results = [bn.gradients(
            x, gy, *channels, beta if beta is None else channels[beta])
            for channels in (strided, plain)]
        for a, b in zip(*results):
            numpy.testing.assert_array_equal(a, b)


@needs_native
def test_nothing_is_written_outside():
    library = native.library()
    for n, channels in ((7, 3), (1, 64), (200, 17), (3, 1000)):
        x, gy = draw((n, channels)), draw((n, channels))
        values = [draw(channels) for _ in range(3)]
        whole = numpy.full((7, n * channels + 128), numpy.nan, 'f')
        (mean, variance, y, gx, ggamma, gbeta), sizes = [
            a[64:] for a in whole[:6]], [
            channels, channels, x.size, x.size, channels, channels]

        def call(name, *arguments):
            assert getattr(library, 'quantized_net_' + name)(*[
                a.ctypes.data if isinstance(a, numpy.ndarray) else a
                for a in arguments]) == 0

        call('channel_moments', x, n, channels, mean, variance)
        call('batch_normalization', x, None, n, channels, *values, 1, y)
        call('batch_normalization_gradient', x, gy, x, n, channels,
             *values, values[0], gx, ggamma, gbeta)
        for a, size in zip(whole, sizes):
            assert numpy.isnan(a[:64]).all()
            assert not numpy.isnan(a[64:64 + size]).any()
            assert numpy.isnan(a[64 + size:]).all()
