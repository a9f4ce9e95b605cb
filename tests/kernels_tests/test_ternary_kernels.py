"""The three values' kernels beside their references."""

import chainer
import numpy
import pytest

from quantized_net.kernels import native
from quantized_net.kernels import ternary
from quantized_net.kernels import twn

needs_native = pytest.mark.skipif(
    native.library() is None,
    reason='the kernels are not compiled here (see show_config())')

SCALARS = numpy.array([.3, .8, 1.3], 'f')


@pytest.fixture(params=[(), (1,), (7,), (64, 3), (3, 5, 3, 3), (1000, 333)])
def shape(request):
    return request.param


def draw(shape):
    W = numpy.asarray(numpy.random.uniform(-1, 1, shape), 'f')
    if W.size > 20:
        W.ravel()[:9] = [
            0, -0., .3, -.3, numpy.nextafter(numpy.float32(.3), 1),
            numpy.inf, -numpy.inf, numpy.nan, -numpy.nan]
    return W


@needs_native
def test_values_have_the_same_bits(shape):
    W = draw(shape)
    found = ternary.ternary(W, *SCALARS)
    expected = ternary.ternary_reference(W, *SCALARS)
    for a, b in zip(found, expected):
        assert a.shape == shape and a.dtype == b.dtype
        numpy.testing.assert_array_equal(a, b)


@needs_native
def test_gradient(shape):
    codes = ternary.ternary_reference(draw(shape), *SCALARS)[1]
    g = numpy.asarray(numpy.random.uniform(-1, 1, shape), 'f')
    gW, positive, negative = ternary.ternary_gradient(g, codes, *SCALARS[1:])
    expected = ternary.ternary_gradient_reference(g, codes, *SCALARS[1:])
    assert gW.shape == shape
    numpy.testing.assert_array_equal(gW, expected[0])
    exact = g.astype('d')
    atol = 1e-6 * g.size ** .5
    assert float(positive) == pytest.approx(exact[codes > 0].sum(), 1e-5, atol)
    assert float(negative) == pytest.approx(exact[codes < 0].sum(), 1e-5, atol)


def test_reference_of_the_gradient():
    codes = numpy.array([1, 0, -1, 1, -1, -1], 'b')
    g = numpy.array([1, 2, 4, 8, 16, 32], 'f')
    gW, positive, negative = ternary.ternary_gradient_reference(
        g, codes, *numpy.array([.5, 3], 'f'))
    assert (gW == [.5, 2, 12, 4, 48, 96]).all()
    assert (positive, negative) == (9, 52)


@needs_native
def test_nan_and_infinity_stay_with_their_sign():
    """A gradient that is no number does not reach the other sum."""
    g = numpy.ones(200, 'f')
    codes = numpy.zeros(200, 'b')
    codes[:150] = -1
    codes[:50] = 1
    for value in (numpy.nan, numpy.inf):
        g[3], g[120] = value, 1
        gW, positive, negative = ternary.ternary_gradient(
            g, codes, *SCALARS[1:])
        assert not numpy.isfinite(positive) and negative == 100
        assert (numpy.isfinite(gW) == (numpy.arange(200) != 3)).all()
        g[3], g[160] = 1, value  # a weight of no sign
        assert ternary.ternary_gradient(g, codes, *SCALARS[1:])[1:] == (
            50, 100)
        g[160] = 1


@pytest.mark.parametrize('order', ['F', 'sliced'])
def test_arrays_that_are_not_contiguous(order):
    W, g = draw((40, 30)), draw((40, 30)) ** 2
    g[numpy.isnan(g) | numpy.isinf(g)] = 2
    if order == 'F':
        V, h = W.copy('F'), g.copy('F')
    else:
        V, h = [numpy.repeat(a, 2, axis=1)[:, ::2] for a in (W, g)]
    assert not V.flags.c_contiguous
    y, codes = ternary.ternary(V, *SCALARS)
    expected, expected_codes = ternary.ternary(W, *SCALARS)
    numpy.testing.assert_array_equal(y, expected)
    numpy.testing.assert_array_equal(codes, expected_codes)
    for c in (codes, numpy.asfortranarray(codes)):
        for a, b in zip(ternary.ternary_gradient(h, c, *SCALARS[1:]),
                        ternary.ternary_gradient(g, codes, *SCALARS[1:])):
            numpy.testing.assert_allclose(a, b, 1e-5)


@pytest.mark.parametrize('order', ['C', 'F'])
@pytest.mark.parametrize('value', [numpy.nan, -numpy.nan, -numpy.inf])
def test_largest_magnitude_shows_what_is_not_finite(shape, order, value):
    W = numpy.asarray(numpy.random.uniform(-1, 1, shape), 'f', order=order)
    for i in {0, W.size // 2, W.size - 1}:
        V = W.copy(order)
        V.flat[i] = value
        numpy.testing.assert_equal(
            float(ternary.largest_magnitude(V)), abs(value))


def test_largest_magnitude(shape):
    W = numpy.asarray(numpy.random.uniform(-1, 1, shape), 'f')
    for sign in (1, -1):
        found = ternary.largest_magnitude(sign * W)
        assert found == abs(W).max() and found.dtype == numpy.float32
    if W.size:
        # in each of a vector's places
        for i in range(0, W.size, max(W.size // 130, 1)):
            V = W.copy()
            V.reshape(-1)[i] = -2
            assert ternary.largest_magnitude(V) == 2


@needs_native
def test_nothing_is_written_outside():
    library = native.library()
    for n in (1, 7, 64, 100):
        W = numpy.random.uniform(-1, 1, n).astype('f')
        y, gW = numpy.full((2, n + 128), numpy.nan, 'f')
        codes = numpy.full(n + 128, 9, 'b')
        library.quantized_net_ternary(
            W.ctypes.data, y[64:].ctypes.data, codes[64:].ctypes.data, n,
            .3, .8, 1.3)
        sums = numpy.full(4, numpy.nan)
        g = numpy.ones(n, 'f')
        library.quantized_net_ternary_gradient(
            g.ctypes.data, codes[64:].ctypes.data, gW[64:].ctypes.data, n,
            .8, 1.3, sums[1:].ctypes.data, sums[2:].ctypes.data)
        for a in (y, gW):
            assert (numpy.isnan(a).nonzero()[0] == numpy.r_[
                :64, 64 + n:128 + n]).all()
        assert (codes[:64] == 9).all() and (codes[64 + n:] == 9).all()
        assert (abs(codes[64:64 + n]) < 2).all()
        assert (numpy.isnan(sums) == [True, False, False, True]).all()


@pytest.mark.parametrize('dtype', ['f', 'd'])
def test_thresholds_of_many(device, dtype):
    """Of more arrays than a table has rows, some of several blocks."""
    sizes = [0, 1, 2048, 2049, 9000, *range(1, 160)]
    Ws = [numpy.random.uniform(-1, 1, n).astype(dtype) for n in sizes]
    Ws[4][5000] = -3
    Ws[10][2], Ws[11][3], Ws[12][0] = numpy.nan, -numpy.inf, -numpy.nan
    Ws[13][:] = -0.
    found = ternary.thresholds([device.send(W) for W in Ws], .25)
    cpu = chainer.get_device('@numpy')
    for W, delta in zip(Ws, found):
        assert delta.shape == () and delta.dtype == dtype
        numpy.testing.assert_array_equal(
            cpu.send(delta), ternary.threshold(W, .25))
    assert cpu.send(found[4]) == .75 and numpy.isnan(cpu.send(found[10]))


@pytest.mark.parametrize('dtype', ['e', 'f', 'd'])
@pytest.mark.parametrize('is_mean', [False, True])
@pytest.mark.parametrize('sign', [1, -1])
@pytest.mark.parametrize('size', [1, 7, 100, 200001])
def test_gradients(device, dtype, is_mean, sign, size):
    g = numpy.random.uniform(-1, 1, size).astype(dtype)
    codes = numpy.random.randint(-1, 2, size).astype('b')
    scales = numpy.array([.8, 1.3], dtype)
    found = ternary.gradients(
        *[device.send(a) for a in (g, codes, scales[:1].reshape(()),
                                   scales[1:].reshape(()))], sign, is_mean)
    tolerance = {'e': 2e-3, 'f': 1e-5, 'd': 1e-12}[dtype]
    gW, gWp, gWn = [chainer.get_device('@numpy').send(a) for a in found]
    for a in (gW, gWp, gWn):
        assert a.dtype == dtype
    numpy.testing.assert_array_equal(
        gW, g * numpy.where(codes > 0, scales[0], numpy.where(
            codes < 0, scales[1], 1)).astype(dtype))
    for total, of_it, s in ((gWp, codes > 0, 1), (gWn, codes < 0, sign)):
        expected = s * g[of_it].sum(dtype='d')
        if is_mean:
            expected /= max(of_it.sum(), 1)
        assert total.shape == ()
        numpy.testing.assert_allclose(total, expected, tolerance, 1e-6)


@pytest.mark.parametrize('per_filter', [False, True])
@pytest.mark.parametrize('shape', [(1,), (5, 4), (64, 3, 3, 3), (3, 90001)])
@pytest.mark.parametrize('dtype', ['e', 'f', 'd'])
def test_twn(device, dtype, shape, per_filter):
    W = numpy.random.normal(size=shape).astype(dtype)
    expected = twn.reference(W, .7, per_filter)
    tolerance = {'e': 1e-3, 'f': 2e-6, 'd': 1e-13}[dtype]
    for found, a in zip(twn.twn(device.send(W), .7, per_filter), expected):
        assert found.shape == a.shape and found.dtype == a.dtype
        numpy.testing.assert_allclose(
            chainer.get_device('@numpy').send(found), a, tolerance)
