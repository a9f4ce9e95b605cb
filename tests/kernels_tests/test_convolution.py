"""The compiled convolution beside its reference, and that beside Chainer's."""

import itertools

from chainer import functions as F
from chainer.utils import conv as chainer_conv
import chainer
import numpy
import pytest

from quantized_net.kernels import convolution as conv
from quantized_net.kernels import layout
from quantized_net.kernels import native

needs_native = pytest.mark.skipif(
    native.library() is None,
    reason='the kernels are not compiled here (see show_config())')

LAYOUTS = ['nchw', 'channels_last', 'sliced', 'broadcast']


class Case(object):

    """A convolution's shapes; ``groups`` of 0 stands for depthwise."""

    def __init__(self, n, channels, out, groups=1, kernel=(3, 3),
                 stride=(1, 1), pad=(1, 1), dilate=(1, 1), size=(6, 7),
                 cover_all=False, layout='nchw'):
        self.groups = groups or channels
        self.layout = layout
        self.cover_all = cover_all
        self.x = (n, -(-channels // self.groups) * self.groups) + size
        self.W = (-(-out // self.groups) * self.groups,
                  self.x[1] // self.groups) + kernel
        self.geometry = conv.Geometry(
            kernel, stride, pad, dilate, self.groups)
        self.out_size = tuple(
            chainer_conv.get_conv_outsize(i, k, s, p, cover_all, d)
            for i, k, s, p, d in zip(size, kernel, stride, pad, dilate))
        self.gy = (n, self.W[0]) + self.out_size

    def __repr__(self):
        return 'x%s W%s s%s p%s d%s g%d %s%s' % (
            self.x[:2] + self.x[2:], self.W, self.geometry.stride,
            self.geometry.pad, self.geometry.dilate, self.groups,
            self.layout, ' cover_all' * self.cover_all)

    @property
    def is_winograds(self):
        """Whether it may be done by Winograd's way, which rounds more."""
        g = self.geometry
        return g.kernel in ((3, 3), (5, 5)) and (
            g.stride == g.dilate == (1, 1) and g.groups == 1)

    def draw(self, dtype='f'):
        x, gy = [lay_out(draw(shape, dtype), self.layout)
                 for shape in (self.x, self.gy)]
        W, b = [lay_out(draw(shape, dtype), 'sliced') if self.layout ==
                'sliced' else draw(shape, dtype)
                for shape in (self.W, self.W[:1])]
        return x, W, b, gy

    def all_of(self, x, W, b, gy, suffix=''):
        """The output, and both gradients."""
        g, size = self.geometry, self.x[2:]
        return [
            getattr(conv, 'convolution' + suffix)(x, W, b, g, self.out_size),
            getattr(conv, 'gradient_x' + suffix)(gy, W, g, size),
            getattr(conv, 'gradient_W' + suffix)(x, gy, g)]


def draw(shape, dtype='f'):
    return numpy.random.uniform(-1, 1, shape).astype(dtype)


def lay_out(x, how):
    """The same shape in another order, between floats that are NaN."""
    if how == 'nchw':
        return x
    if how == 'channels_last':
        return numpy.ascontiguousarray(
            x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    if how == 'broadcast':
        return numpy.broadcast_to(x[:, :, :1], x.shape)
    whole = numpy.full([2 * n + 1 for n in x.shape], numpy.nan, x.dtype)
    part = whole[tuple(
        slice(1, None, 2) if i % 2 else slice(2 * n - 1, None, -2)
        for i, n in enumerate(x.shape))]
    part[...] = x
    return part


def random_cases(n):
    rng = numpy.random.RandomState(0)

    def pick(*choices):
        return choices[rng.randint(len(choices))]

    for _ in range(n):
        kernel = pick((1, 1), (2, 2), (3, 3), (5, 5), (3, 2))
        dilate = pick((1, 1), (1, 1), (2, 2))
        yield Case(
            pick(1, 2, 5, 18), pick(1, 3, 16, 17, 70, 130),
            pick(1, 5, 16, 19, 33, 64, 71), pick(1, 1, 2, 0), kernel,
            pick((1, 1), (2, 2), (3, 3), (2, 1)),
            pick((0, 0), (1, 1), (2, 2), (1, 0)), dilate,
            tuple((k - 1) * d + 1 + rng.randint(7)
                  for k, d in zip(kernel, dilate)),
            pick(False, False, True), pick(*LAYOUTS))


# each layout, and each of what a random case may lack
CHOSEN = [Case(3, 17, 19, layout=name) for name in LAYOUTS] + [
    Case(1, 130, 130, kernel=(1, 1), pad=(0, 0)),
    Case(2, 70, 70, 0, layout='channels_last'),
    Case(2, 6, 70, 2, (3, 2), (2, 1), (1, 0), (1, 2), layout='sliced'),
    Case(2, 3, 7, kernel=(2, 2), stride=(3, 3), pad=(0, 0), size=(9, 9)),
    Case(2, 3, 7, kernel=(2, 2), stride=(3, 3), pad=(0, 0), size=(9, 10),
         cover_all=True),
    Case(2, 16, 16, kernel=(1, 1), stride=(2, 2), pad=(0, 0), size=(8, 9)),
    Case(1, 1, 1, kernel=(5, 5), pad=(2, 2), size=(1, 1)),
    # more of an image than one row of tiles
    Case(1, 3, 16, size=(3, 50)), Case(1, 3, 16, size=(50, 3)),
    # kernels of 3x3 over channels that fill whole vectors
    Case(2, 16, 16), Case(18, 16, 48, size=(5, 5)),
    Case(1, 64, 80, pad=(0, 0), size=(3, 3), layout='channels_last'),
    Case(2, 16, 144, pad=(2, 2), size=(1, 1)),
    Case(2, 80, 32, pad=(1, 0), size=(9, 4), layout='sliced'),
    Case(2, 32, 16, pad=(0, 2), size=(7, 8), layout='broadcast'),
    Case(1, 16, 16, pad=(3, 1)), Case(1, 16, 32, size=(21, 20)),
    Case(2, 16, 16, size=(2, 41)), Case(1, 16, 16, size=(35, 3)),
    Case(21, 16, 32, size=(8, 8)), Case(3, 32, 16, size=(33, 34)),
    Case(2, 16, 32, kernel=(5, 5), pad=(2, 2), size=(14, 15)),
    Case(19, 32, 16, kernel=(5, 5), pad=(0, 4), size=(7, 5)),
    Case(1, 16, 16, kernel=(5, 5), pad=(1, 3), size=(9, 50),
         layout='sliced'),
    Case(2, 16, 16, kernel=(5, 5), pad=(4, 4), size=(3, 3)),
    Case(2, 4, 12, kernel=(5, 5), pad=(3, 2), size=(6, 6),
         layout='channels_last'),
    Case(2, 4, 12, size=(6, 6)), Case(2, 8, 24, size=(6, 5)),
    Case(2, 32, 32, 2)]
CASES = CHOSEN + list(random_cases(70))


@pytest.fixture(params=CASES, ids=repr)
def case(request):
    return request.param


@pytest.fixture(params=[0, 1, 2])
def level(request):
    """The baseline, AVX2 and AVX-512."""
    set_level = native.library().quantized_net_set_level
    try:
        if set_level(request.param) != request.param:
            pytest.skip('not a level of this processor')
        yield request.param
    finally:
        set_level(2)


@needs_native
def test_agrees_with_the_reference(case, level):
    arrays = case.draw()
    terms = [case.W[1] * case.W[2] * case.W[3],
             case.W[0] // case.groups * case.W[2] * case.W[3],
             case.x[0] * case.out_size[0] * case.out_size[1]]
    tolerance = 1e-5 if case.is_winograds else 2e-6
    for n, found, expected in zip(
            terms, case.all_of(*arrays), case.all_of(*arrays, '_reference')):
        assert found.shape == expected.shape
        assert found.dtype == expected.dtype == numpy.float32
        numpy.testing.assert_allclose(
            found, expected, 1e-5, tolerance * n ** .5)


@needs_native
def test_same_bits_for_any_number_of_threads(case, level, threads):
    arrays = case.draw()
    results = []
    for n in (1, 2, 3):
        threads(n)
        results.append(case.all_of(*arrays))
    for others in results[1:]:
        for a, b in zip(results[0], others):
            numpy.testing.assert_array_equal(a, b)


def test_reference_is_the_truth(case):
    x, W, b, gy = case.draw('d')
    g = case.geometry
    variables = [chainer.Variable(a) for a in (x, W, b)]
    y = F.convolution_2d(
        *variables, g.stride, g.pad, case.cover_all, dilate=g.dilate,
        groups=g.groups)
    y.grad = gy
    y.backward()
    expected = [y.array, variables[0].grad, variables[1].grad]
    found = case.all_of(x, W, b, gy, '_reference')
    for values, right in zip(found, expected):
        numpy.testing.assert_allclose(values, right, 1e-10, 1e-10)


@pytest.mark.parametrize('suffix', ['', '_reference'])
def test_without_bias(suffix):
    if not suffix and native.library() is None:
        pytest.skip('the kernels are not compiled here')
    for case in (Case(2, 3, 19), Case(2, 16, 16)):
        x, W, b, _ = case.draw()
        g, size = case.geometry, case.out_size
        function = getattr(conv, 'convolution' + suffix)
        numpy.testing.assert_allclose(
            function(x, W, None, g, size) + b[:, None, None],
            function(x, W, b, g, size), 1e-5, 1e-5)


def test_parts_of_the_reference_make_the_whole(monkeypatch):
    case = Case(5, 4, 6, 2)
    arrays = case.draw()
    expected = case.all_of(*arrays, '_reference')
    assert len(conv._parts(5, arrays[0], case.geometry, case.out_size)) == 1
    monkeypatch.setattr(conv, '_COLUMNS', 2 * 4 * 42 * 9)
    assert len(conv._parts(5, arrays[0], case.geometry, case.out_size)) == 3
    for a, b in zip(case.all_of(*arrays, '_reference'), expected):
        numpy.testing.assert_allclose(a, b, 1e-5, 1e-5)


@pytest.mark.parametrize('kernel,stride', [(1, 2), (1, 3), (2, 3)])
def test_no_gradient_where_no_output_looks(kernel, stride):
    case = Case(2, 3, 5, kernel=(kernel,) * 2, stride=(stride,) * 2,
                pad=(0, 0), size=(8, 10))
    _, W, _, gy = case.draw()
    gx = conv.gradient_x(gy, W, case.geometry, case.x[2:])
    seen = numpy.zeros(case.x[2:], bool)
    for i, j in itertools.product(*map(range, case.out_size)):
        seen[i * stride:i * stride + kernel,
             j * stride:j * stride + kernel] = True
    assert 0 < seen.sum() < seen.size
    assert (gx[:, :, ~seen] == 0).all() and (gx[:, :, seen] != 0).all()


@needs_native
@pytest.mark.parametrize('case', CHOSEN, ids=repr)
def test_nothing_is_written_outside(case, level):
    """All that is to be written is, and nothing else."""
    x, W, b, gy = case.draw()
    W, b = map(numpy.ascontiguousarray, (W, b))
    gy_last = layout.channels_last(gy)
    sizes = conv.sizes(x.shape, gy.shape, case.geometry)
    n, c, h, w = gy.shape
    for name, shape, arguments in (
            ('', (n, h, w, c), (x, W, b)),
            ('_gradient_x', (n,) + x.shape[2:] + x.shape[1:2], (gy, W)),
            ('_gradient_W', W.shape, (x, gy_last))):
        n_floats = int(numpy.prod(shape))
        buffer = numpy.full(n_floats + 128, numpy.nan, 'f')
        inside = buffer[64:64 + n_floats]
        assert native.call('convolution' + name, sizes, *arguments,
                           inside.reshape(shape))
        assert numpy.isnan(buffer[:64]).all()
        assert numpy.isnan(buffer[64 + n_floats:]).all()
        assert not numpy.isnan(inside).any()


@needs_native
def test_output_is_channels_last():
    case = Case(2, 3, 19)
    x, W, b, gy = case.draw()
    y, gx, _ = case.all_of(x, W, b, gy)
    for a in (y, gx):
        assert a.transpose(0, 2, 3, 1).flags.c_contiguous


@needs_native
@pytest.mark.parametrize('value', [numpy.nan, numpy.inf])
@pytest.mark.parametrize('channels,out', [(3, 19), (16, 16)])
def test_nan_and_infinity_stay_in_their_channel_and_image(
        value, level, channels, out):
    case = Case(2, channels, out)
    x, W, b, gy = case.draw()
    W[4] = value
    x[1, 0, 0, 0] = value
    found = numpy.isfinite(case.all_of(x, W, b, gy)[0])
    expected = numpy.ones_like(found)
    expected[:, 4] = False
    spoilt = 4 if case.is_winograds and channels == 16 else 2
    expected[1, :, :spoilt, :spoilt] = False
    assert (found == expected).all()


def test_a_field_of_records():
    """Floats whose distance is no whole number of floats."""
    case = Case(1, 2, 3)
    x, W, b, gy = case.draw()
    records = numpy.zeros(x.shape, [('x', 'f4'), ('other', 'u2')])
    records['x'] = x
    found = case.all_of(records['x'], W, b, gy)
    for values, right in zip(found, case.all_of(x, W, b, gy)):
        numpy.testing.assert_allclose(values, right, 1e-5, 1e-5)
