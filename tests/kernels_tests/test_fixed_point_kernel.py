"""Random rounding: the same bits in all forms, and fair."""

import numpy
import pytest

from quantized_net.kernels import fixed_point
from quantized_net.kernels import native
from testing import to_cpu

needs_native = pytest.mark.skipif(
    native.library() is None,
    reason='the kernels are not compiled here (see show_config())')

KEYS = None, 0, 0x123456789abcdef, 2 ** 64 - 1


def draw(shape):
    x = numpy.asarray(numpy.random.normal(0, .4, shape), 'f')
    if x.size > 20:
        x.ravel()[:10] = [
            0, -0., .0625, -.0625, .1875, 1e-9, -1e-9, numpy.inf, -numpy.inf,
            numpy.nan]
    return x


@pytest.mark.parametrize('counter,key,expected', [
    ((0, 0), (0, 0), (0x6b200159, 0x99ba4efe)),
    ((0xffffffff,) * 2, (0xffffffff,) * 2, (0x1cb996fc, 0xbb002be7)),
    ((0x243f6a88, 0x85a308d3), (0x13198a2e, 0x03707344),
     (0xc4923a9c, 0x483df7a0))])
def test_threefry_gives_the_published_words(counter, key, expected):
    """The known answers of Random123, which has 20 rounds."""
    words = fixed_point.threefry(
        key, *[numpy.array([c], numpy.uint32) for c in counter], n_rounds=20)
    assert tuple(int(w[0]) for w in words) == expected


@needs_native
@pytest.mark.parametrize('key', KEYS)
@pytest.mark.parametrize('shape', [
    (), (1,), (31,), (64,), (65, 3), (3, 5, 3, 3), (1000, 333)])
def test_compiled_form_has_the_same_bits(shape, key):
    x = draw(shape)
    y = fixed_point.to_multiples(x, 8., -5, 4, key)
    expected = fixed_point.reference(x, 8., -5, 4, key)
    assert y.shape == shape
    numpy.testing.assert_array_equal(y, expected)
    assert (numpy.signbit(y) == numpy.signbit(expected)).all()


@needs_native
def test_any_number_of_threads():
    x, found = draw((7, 50021)), []
    for n in (1, 2, 5):
        native.set_threads(n)
        found.append(fixed_point.to_multiples(x, 64., -99, 99, 77))
    native.set_threads(native._default_threads())
    for y in found[1:]:
        numpy.testing.assert_array_equal(y, found[0])


@pytest.mark.parametrize('dtype', ['e', 'f', 'd'])
@pytest.mark.parametrize('key', KEYS)
def test_all_devices_round_alike(device, dtype, key):
    x = draw((45, 67)).astype(dtype)
    for a in (x, numpy.asfortranarray(x), x[:, ::2]):
        y = fixed_point.to_multiples(device.send(a), 8., -5, 4, key)
        assert y.dtype == dtype
        numpy.testing.assert_array_equal(
            to_cpu(y), fixed_point.reference(a, 8., -5, 4, key))


def test_nearest_is_the_papers():
    """x <= floor(x) + eps / 2 goes down, also below zero."""
    x = numpy.array([.5, .75, 1.25, -.25, -.75, -.7, .26, 9, -9], 'd')
    y = fixed_point.to_multiples(x, 2., -4, 3)
    assert y.tolist() == [.5, .5, 1, -.5, -1, -.5, .5, 1.5, -2]


def test_what_is_not_finite(device):
    x = device.send(numpy.array([numpy.nan, numpy.inf, -numpy.inf], 'f'))
    for key in KEYS:
        y = to_cpu(fixed_point.to_multiples(x, 4., -8, 7, key))
        assert numpy.isnan(y[0]) and y[1:].tolist() == [1.75, -2]


@pytest.mark.parametrize('fraction', [1 / 3, .5, .01, .999])
def test_it_is_unbiased(device, fraction):
    """The share that goes up, within five standard deviations."""
    n = 400000
    for sign in (1, -1):
        x = device.send(numpy.full(n, sign * (3 + fraction), 'f'))
        y = to_cpu(fixed_point.to_multiples(x, 1., -99, 99, 42)) * sign
        assert set(numpy.unique(y)) == {3, 4}
        spread = (fraction * (1 - fraction) / n) ** .5
        assert abs(y.mean(dtype='d') - 3 - fraction) < 5 * spread


def test_what_fits_stays():
    x = numpy.arange(-500, 500, dtype='f') / 64
    for key in KEYS:
        numpy.testing.assert_array_equal(
            fixed_point.to_multiples(x, 64., -512, 511, key), x)


def test_numbers_of_different_places_and_keys_are_independent():
    n, keys = 1 << 16, [5, 6, 5 + (1 << 32), 2 ** 63]
    u = numpy.array([fixed_point.uniform(key, 0, n) for key in keys], 'd')
    assert u.min() >= 0 and u.max() < 1
    # means, and the correlations with other keys and with the neighbours
    limit = 5 / n ** .5
    assert abs(u.mean(axis=1) - .5).max() < limit * 12 ** -.5
    for row in u:
        counts = numpy.histogram(row, 64, (0, 1))[0]
        chi2 = ((counts - n / 64) ** 2).sum() / (n / 64)
        assert 63 - 5 * 126 ** .5 < chi2 < 63 + 5 * 126 ** .5
        for lag in (1, 32, 64):
            assert abs(numpy.corrcoef(row[lag:], row[:-lag])[0, 1]) < limit
    assert abs(numpy.corrcoef(u) - numpy.eye(4)).max() < limit


def test_a_part_has_the_numbers_of_its_place():
    whole = fixed_point.uniform(9, 0, 1000)
    numpy.testing.assert_array_equal(
        fixed_point.uniform(9, 64 * 5, 77), whole[320:397])
