"""The compiled pooling beside windows that are looked at one by one."""

import itertools

import numpy
import pytest

from chainer.utils import conv as chainer_conv

from quantized_net.kernels import layout
from quantized_net.kernels import native
from quantized_net.kernels import pooling

pytestmark = pytest.mark.skipif(
    native.library() is None,
    reason='the kernels are not compiled here (see show_config())')

# kernel, stride, pad, cover_all, shape
CASES = [
    ((2, 2), (2, 2), (0, 0), False, (2, 3, 6, 8)),
    ((2, 2), (2, 2), (0, 0), True, (2, 17, 5, 7)),
    ((3, 3), (2, 2), (1, 1), True, (1, 16, 7, 6)),
    ((3, 3), (1, 1), (1, 1), False, (3, 64, 5, 4)),
    ((3, 2), (2, 1), (1, 0), True, (2, 5, 6, 7)),
    ((1, 1), (3, 3), (0, 0), False, (2, 1, 7, 7)),
    ((2, 3), (4, 5), (1, 2), True, (2, 3, 9, 11)),
    ((5, 5), (1, 1), (4, 4), True, (1, 130, 3, 2)),
    ((16, 16), (16, 16), (0, 0), False, (2, 3, 32, 16)),
    ((8, 8), (8, 8), (0, 0), False, (4, 33, 8, 8))]


@pytest.fixture(params=CASES, ids=str)
def case(request):
    """Windows, output size, and shape of the images."""
    kernel, stride, pad, cover_all, shape = request.param
    return (kernel, stride, pad), tuple(
        chainer_conv.get_conv_outsize(*args, cover_all=cover_all)
        for args in zip(shape[2:], kernel, stride, pad)), shape


def draw(shape, kind='uniform'):
    if kind == 'ties':
        return numpy.random.randint(-2, 3, shape).astype('f')
    x = numpy.random.uniform(-1, 1, shape).astype('f')
    if kind == 'special':
        chance = numpy.random.uniform(size=shape)
        x[chance < .3] = -numpy.inf
        x[chance < .2] = numpy.nan
        x[chance < .1] = numpy.inf
    if kind == '-inf':
        x[:, ::2] = -numpy.inf
    return x


def look(x, window, out_size, pad_value):
    """Each window, by its output: shape (N, C, kh * kw)."""
    (kh, kw), (sy, sx), (ph, pw) = window
    n, c, h, w = x.shape
    padded = numpy.full(
        (n, c, h + 2 * ph + kh + sy, w + 2 * pw + kw + sx), pad_value, 'f')
    padded[:, :, ph:ph + h, pw:pw + w] = x
    for i, j in itertools.product(*map(range, out_size)):
        yield i, j, padded[:, :, i * sy:i * sy + kh,
                           j * sx:j * sx + kw].reshape(n, c, -1)


def spread(values, window, in_size):
    """Adds values, shape (N, C, H', W', kh, kw), where they look."""
    (kh, kw), (sy, sx), (ph, pw) = window
    (n, c), (h, w) = values.shape[:2], in_size
    padded = numpy.zeros((n, c, h + 2 * ph + kh + sy, w + 2 * pw + kw + sx))
    for i, j in itertools.product(*map(range, values.shape[2:4])):
        padded[:, :, i * sy:i * sy + kh, j * sx:j * sx + kw] += (
            values[:, :, i, j])
    return padded[:, :, ph:ph + h, pw:pw + w]


@pytest.mark.parametrize('kind', ['uniform', 'ties', 'special', '-inf'])
@pytest.mark.parametrize('last', [False, True])
def test_max(case, kind, last):
    window, out_size, shape = case
    x = draw(shape, kind)
    if last:
        x = layout.channels_last(x).transpose(0, 3, 1, 2)
    y, places = pooling.max_pooling(x, *window, out_size=out_size)
    assert y.dtype == numpy.float32 and y.shape == shape[:2] + out_size
    for i, j, seen in look(x, window, out_size, -numpy.inf):
        numpy.testing.assert_array_equal(y[:, :, i, j], seen.max(axis=2))
        numpy.testing.assert_array_equal(
            places[:, :, i, j], seen.argmax(axis=2))


@pytest.mark.parametrize('kind', ['uniform', 'ties', 'special', '-inf'])
def test_gradient_of_max(case, kind):
    window, out_size, shape = case
    x, gy = draw(shape, kind), draw(shape[:2] + out_size)
    _, places = pooling.max_pooling(x, *window, out_size=out_size)
    gx = pooling.max_pooling_gradient(gy, places, *window, in_size=shape[2:])
    assert gx.dtype == numpy.float32 and gx.shape == shape
    kh, kw = window[0]
    chosen = (numpy.asarray(places)[..., None] == numpy.arange(kh * kw))
    values = (chosen * gy[..., None]).reshape(gy.shape + (kh, kw))
    numpy.testing.assert_allclose(
        gx, spread(values, window, shape[2:]), 1e-5, 1e-6)


@pytest.mark.parametrize('value', [numpy.nan, numpy.inf])
def test_gradient_of_max_goes_to_one_place(value):
    x = numpy.arange(16, dtype='f').reshape(1, 1, 4, 4)
    gy = numpy.array([1, 2, value, 4], 'f').reshape(1, 1, 2, 2)
    window = (2, 2), (2, 2), (0, 0)
    _, places = pooling.max_pooling(x, *window, out_size=(2, 2))
    gx = pooling.max_pooling_gradient(gy, places, *window, in_size=(4, 4))
    numpy.testing.assert_array_equal(gx[0, 0], [
        [0, 0, 0, 0], [0, 1, 0, 2], [0, 0, 0, 0], [0, value, 0, 4]])


def test_average(case):
    window, out_size, shape = case
    x = draw(shape)
    y = pooling.average_pooling(x, *window, out_size=out_size)
    assert y.dtype == numpy.float32 and y.shape == shape[:2] + out_size
    for i, j, seen in look(x, window, out_size, 0):
        numpy.testing.assert_allclose(
            y[:, :, i, j], seen.astype('d').mean(axis=2), 1e-5, 1e-6)


def test_gradient_of_average(case):
    window, out_size, shape = case
    gy = draw(shape[:2] + out_size)
    gx = pooling.average_pooling_gradient(gy, *window, in_size=shape[2:])
    assert gx.dtype == numpy.float32 and gx.shape == shape
    kh, kw = window[0]
    values = numpy.broadcast_to(
        gy[..., None, None] / (kh * kw), gy.shape + (kh, kw))
    numpy.testing.assert_allclose(
        gx, spread(values, window, shape[2:]), 1e-5, 1e-6)


def test_nan_of_average_stays_in_its_window_and_channel():
    x = draw((2, 3, 4, 4))
    x[1, 2, 3, 0] = numpy.nan
    y = pooling.average_pooling(
        x, (2, 2), (2, 2), (0, 0), out_size=(2, 2))
    expected = numpy.zeros(y.shape, bool)
    expected[1, 2, 1, 0] = True
    assert (numpy.isnan(y) == expected).all()


def test_same_bits_for_any_number_of_threads(case, threads):
    window, out_size, shape = case
    x, gy = draw(shape), draw(shape[:2] + out_size)
    results = []
    for n in (1, 2, 3):
        threads(n)
        y, places = pooling.max_pooling(x, *window, out_size=out_size)
        results.append([
            y, places, pooling.max_pooling_gradient(
                gy, places, *window, in_size=shape[2:]),
            pooling.average_pooling(x, *window, out_size=out_size),
            pooling.average_pooling_gradient(
                gy, *window, in_size=shape[2:])])
    for others in results[1:]:
        for a, b in zip(results[0], others):
            numpy.testing.assert_array_equal(a, b)


def test_nothing_is_written_outside(case, monkeypatch):
    window, out_size, shape = case
    buffers = []

    def guarded(shape, dtype=numpy.float32):
        n, c, h, w = shape
        size = n * c * h * w
        fill = 77 if dtype == numpy.uint8 else numpy.nan
        buffers.append((numpy.full(size + 128, fill, dtype), size, fill))
        return buffers[-1][0][64:64 + size].reshape(
            n, h, w, c).transpose(0, 3, 1, 2)

    monkeypatch.setattr(layout, 'empty', guarded)
    x, gy = draw(shape), draw(shape[:2] + out_size)
    _, places = pooling.max_pooling(x, *window, out_size=out_size)
    pooling.max_pooling_gradient(gy, places, *window, in_size=shape[2:])
    pooling.average_pooling(x, *window, out_size=out_size)
    pooling.average_pooling_gradient(gy, *window, in_size=shape[2:])
    assert len(buffers) == 5
    for a, size, fill in buffers:
        for edge in (a[:64], a[64 + size:]):
            numpy.testing.assert_array_equal(edge, fill)
        assert a.dtype == numpy.uint8 or not numpy.isnan(a[64:-64]).any()


def test_windows_of_more_places_than_a_byte_has():
    x = draw((1, 1, 40, 40))
    assert pooling.is_compiled(x, (16, 16))
    assert not pooling.is_compiled(x, (16, 17))
    assert not pooling.is_compiled(x.astype('d'), (2, 2))
