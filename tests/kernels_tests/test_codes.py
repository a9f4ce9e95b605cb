"""Products of small codes beside sums of int64."""

import hypothesis
from hypothesis import strategies as st
import numpy
import pytest

from quantized_net.kernels import codes
from quantized_net.kernels import convolution as conv
from quantized_net.kernels import layout
from quantized_net.kernels import native

settings = hypothesis.settings(
    max_examples=100, deadline=None, derandomize=True, database=None)

SIGNS = codes.Grid(1., 1)
TERNARY = {'ternary': (.31, -.77), 'balanced': (.37, -.37),
           'negative scales': (-.5, .25), 'one sign': (.5, .3),
           'one value': (.7, 0), 'nothing': (0, 0)}


def draw(rng, kind, shape):
    """Values of a kind, and their grid."""
    if kind == 'signs':
        return rng.choice([-1, 1], shape).astype('f'), SIGNS
    if kind in TERNARY:
        values = numpy.array((0,) + TERNARY[kind], 'f')
        return values[rng.randint(0, 3, shape)], None
    bits = int(kind)
    half = 2 ** (bits - 1)
    values = rng.randint(-half, half, shape) / numpy.float32(half)
    return values.astype('f'), codes.Grid(1 / half, half)


def truth(x, W, b, geometry, out_size, grids):
    """From sums of int64 on, in the documented order of roundings."""
    x_grid, W_grid = grids
    k = numpy.rint(x / numpy.float32(x_grid.step)).astype('q')
    one = numpy.float32

    def sums(rows):
        found = conv.convolution_reference(k, rows, None, geometry, out_size)
        assert found.dtype == numpy.int64 and abs(found).max() <= 1 << 24
        return found.astype('f')

    if W_grid is not None:
        rows = numpy.rint(W / one(W_grid.step)).astype('q')
        y = sums(rows) * (one(x_grid.step) * one(W_grid.step))
    else:
        u, v = numpy.zeros((2, len(W), 1, 1), 'f')
        for o, w in enumerate(W):
            values = sorted(set(w[w != 0].tolist()))
            assert len(values) <= 2
            if values:
                u[o], v[o] = values[-1], values[0]
        is_u = W == u[..., None]
        of_u = sums((is_u & (W != 0)).astype('q'))
        of_v = sums((~is_u & (W != 0)).astype('q'))
        s = one(x_grid.step)
        y = numpy.where(
            u == -v, s * u * (of_u - of_v), s * u * of_u + s * v * of_v)
    return y if b is None else y + b[:, None, None]


@st.composite
def cases(draw_from):
    def pick(*choices):
        return draw_from(st.sampled_from(choices))

    def pair(*choices):
        return pick(*choices), pick(*choices)

    rng = numpy.random.RandomState(draw_from(st.integers(0, 9999)))
    groups = pick(1, 1, 2, 3)
    kernel, dilate = pair(1, 2, 3, 5), pair(1, 1, 2)
    stride, pad = pair(1, 1, 2, 3), pair(0, 1, 2, 5)
    size = [(k - 1) * d + 1 + pick(0, 1, 6, 25)
            for k, d in zip(kernel, dilate)]
    out_size = tuple(
        (i + 2 * p - (k - 1) * d - 1) // s + 1 + pick(0, 0, 1)
        for i, p, k, d, s in zip(size, pad, kernel, dilate, stride))
    x_kind = pick('signs', 'signs', '2', '4', '8')
    W_kind = pick('signs', '2', '4', '8', *TERNARY)
    c_in, c_out = pick(1, 3, 8, 16, 31, 40), pick(1, 5, 16, 33)
    x, x_grid = draw(rng, x_kind, [pick(1, 2), groups * c_in] + size)
    W, W_grid = draw(rng, W_kind, (groups * c_out, c_in) + kernel)
    b = rng.normal(size=len(W)).astype('f') if pick(False, True) else None
    if pick(False, True):
        x = layout.channels_last(x).transpose(0, 3, 1, 2)
    return (x, W, b, conv.Geometry(kernel, stride, pad, dilate, groups),
            out_size, (x_grid, W_grid))


def agree(case):
    y = codes.convolve(*case)
    assert y.dtype == numpy.float32
    numpy.testing.assert_array_equal(y, truth(*case))


@pytest.fixture(params=['reference', 0, 1, 2], scope='module')
def form(request):
    """The NumPy form, and each level's."""
    if request.param == 'reference':
        patch = pytest.MonkeyPatch()
        patch.setattr(native, 'library', lambda: None)
        yield
        patch.undo()
        return
    if native.library() is None:
        pytest.skip('the kernels are not compiled here (see show_config())')
    set_level = native.library().quantized_net_set_level
    try:
        if set_level(request.param) != request.param:
            pytest.skip('not a level of this processor')
        yield
    finally:
        set_level(2)


@settings
@hypothesis.given(case=cases())
def test_convolution(form, case):
    agree(case)


# words and blocks that are full and that are not, many groups, much padding
@pytest.mark.parametrize('c_in,c_out,groups,kernel,pad,size', [
    (64, 32, 1, 3, 1, 14), (16, 16, 1, 3, 1, 13), (200, 40, 1, 3, 1, 3),
    (1, 1, 20, 3, 1, 5), (33, 17, 1, 1, 0, 30), (4, 70, 1, 5, 2, 8),
    (24, 8, 2, 7, 6, 2)])
@pytest.mark.parametrize('W_kind', ['signs', 'ternary', 'balanced', '4'])
@pytest.mark.parametrize('x_kind', ['signs', '3'])
def test_shapes(form, c_in, c_out, groups, kernel, pad, size, W_kind,
                x_kind):
    rng = numpy.random.RandomState(0)
    x, x_grid = draw(rng, x_kind, (2, groups * c_in, size, size + 1))
    W, W_grid = draw(rng, W_kind, (groups * c_out, c_in, kernel, kernel))
    geometry = conv.Geometry(
        (kernel,) * 2, (1, 1), (pad,) * 2, (1, 1), groups)
    out = size + 2 * pad - kernel + 1
    agree((x, W, None, geometry, (out, out + 1), (x_grid, W_grid)))


@pytest.mark.parametrize('W_kind', ['signs', 'ternary', '4'])
@pytest.mark.parametrize('x_kind', ['signs', '4'])
@pytest.mark.parametrize('m,k,n', [(1, 1, 1), (13, 300, 37), (100, 64, 16)])
def test_matrices(form, x_kind, W_kind, m, k, n):
    rng = numpy.random.RandomState(0)
    x, x_grid = draw(rng, x_kind, (m, k))
    W, W_grid = draw(rng, W_kind, (n, k))
    b = rng.normal(size=n).astype('f')
    expected = truth(
        x[:, :, None, None], W[:, :, None, None], b, conv.Geometry(
            (1, 1), (1, 1), (0, 0), (1, 1), 1), (1, 1), (x_grid, W_grid))
    for a in (x, numpy.asfortranarray(x)):
        numpy.testing.assert_array_equal(
            codes.multiply(a, W, b, (x_grid, W_grid)), expected[:, :, 0, 0])


def test_long_sums_of_ternary_weights(form):
    """Too long for both sums to be one number."""
    rng = numpy.random.RandomState(0)
    x, x_grid = draw(rng, 'signs', (3, 9000))
    W, W_grid = draw(rng, 'ternary', (2, 9000))
    k = x.astype('q')
    u, v = numpy.array(TERNARY['ternary'], 'f')
    expected = (u * k.dot((W == u).T).astype('f')
                + v * k.dot((W == v).T).astype('f'))
    numpy.testing.assert_array_equal(
        codes.multiply(x, W, None, (x_grid, W_grid)), expected)


@pytest.mark.parametrize('dtype', ['e', 'd'])
@pytest.mark.parametrize('W_kind', ['signs', 'ternary', '4'])
def test_other_types(dtype, W_kind):
    rng = numpy.random.RandomState(0)
    x, x_grid = draw(rng, 'signs', (5, 600))
    W, W_grid = draw(rng, W_kind, (7, 600))
    x, W = x.astype(dtype), W.astype(dtype)
    y = codes.multiply(x, W, None, (x_grid, W_grid))
    assert y.dtype == dtype
    numpy.testing.assert_allclose(
        y, x.astype('d').dot(W.T.astype('d')), 1e-3 if dtype == 'e' else
        1e-12, 1e-12)


@pytest.mark.parametrize('value', [numpy.nan, -numpy.inf, .3])
@pytest.mark.parametrize('where', ['x', 'W'])
@pytest.mark.parametrize('x_kind', ['signs', '4'])
@pytest.mark.parametrize('W_kind', ['signs', 'ternary', '4'])
def test_others_are_told(form, value, where, x_kind, W_kind):
    rng = numpy.random.RandomState(0)
    x, x_grid = draw(rng, x_kind, (2, 20, 5, 6))
    W, W_grid = draw(rng, W_kind, (18, 20, 3, 3))
    changed = {'x': x, 'W': W}[where]
    for place in ((0, 0, 0, 0), (-1, -1, -1, -1)):
        before = changed[place]
        changed[place] = value
        assert codes.convolve(
            x, W, None, conv.Geometry((3, 3), (1, 1), (1, 1), (1, 1), 1),
            (5, 6), (x_grid, W_grid)) is None
        changed[place] = before


def test_padding_of_signs_is_zero(form):
    x, W = numpy.ones((1, 1, 1, 1), 'f'), numpy.ones((1, 1, 3, 3), 'f')
    y = codes.convolve(
        x, W, None, conv.Geometry((3, 3), (1, 1), (1, 1), (1, 1), 1), (1, 1),
        (SIGNS, SIGNS))
    assert y.ravel().tolist() == [1]


@pytest.mark.parametrize('W_kind', ['signs', 'ternary', '4'])
def test_nothing_is_written_outside(form, W_kind):
    if native.library() is None:
        return  # NumPy writes into arrays of its own
    rng = numpy.random.RandomState(0)
    x, x_grid = draw(rng, 'signs', (2, 5, 6, 20))
    W, W_grid = draw(rng, W_kind, (21, 20, 3, 3))
    shape = 2, 5, 6, 21
    geometry = conv.Geometry((3, 3), (1, 1), (1, 1), (1, 1), 1)
    around = numpy.full(int(numpy.prod(shape)) + 128, 5, 'f')
    done = native.call(
        'convolve_codes', conv.sizes((2, 20, 5, 6), (2, 21, 5, 6), geometry),
        x, W, None, around[64:-64].reshape(shape), 1.,
        W_grid.step if W_grid else 0.)
    # plain C has no way for bytes
    assert done or W_kind == '4' and not native.library(
    ).quantized_net_level()
    assert (around[:64] == 5).all() and (around[-64:] == 5).all()
    if not done:
        assert (around == 5).all()


@pytest.mark.parametrize('x_kind', ['signs', '4'])
@pytest.mark.parametrize('n', [1, 3])
def test_threads_do_not_change_a_bit(threads, x_kind, n):
    rng = numpy.random.RandomState(0)
    x, x_grid = draw(rng, x_kind, (n, 16, 9, 9))
    W, W_grid = draw(rng, 'ternary', (40, 16, 3, 3))
    geometry = conv.Geometry((3, 3), (1, 1), (1, 1), (1, 1), 1)
    case = x, W, None, geometry, (9, 9), (x_grid, W_grid)
    for n_threads in (1, 2, 3, 16):
        threads(n_threads)
        for _ in range(3):
            agree(case)


@pytest.mark.parametrize('x_grid,W_grid,n_terms,fits', [
    (None, SIGNS, 9, False), (SIGNS, SIGNS, 1 << 24, True),
    (SIGNS, None, (1 << 24) + 1, False), (SIGNS, None, 9, True),
    (codes.Grid(1 / 128, 128), codes.Grid(1 / 128, 128), 1024, True),
    (codes.Grid(1 / 128, 128), codes.Grid(1 / 128, 128), 1025, False),
    (SIGNS, codes.Grid(1 / 256, 256), 9, False)])
def test_what_is_exact_and_small(x_grid, W_grid, n_terms, fits):
    found = codes.grids_of(x_grid, W_grid, n_terms)
    assert found == ((x_grid, W_grid) if fits else None)
