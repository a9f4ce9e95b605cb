"""The looked-up product beside the multiplied one."""

import numpy
import pytest

from quantized_net.kernels import native
from quantized_net.kernels import sign_product

# Rows go by 6, columns by 16 and 64, the sum by 4, 32 and 256.
SHAPES = [
    (1, 1, 1), (6, 4, 16), (7, 5, 17), (5, 31, 64), (4, 32, 65), (3, 33, 80),
    (2, 255, 15), (12, 256, 129), (13, 257, 100), (1, 600, 33), (50, 3, 1),
    (6, 1023, 191)]


@pytest.fixture
def library():
    if native.library() is None:
        pytest.skip('the kernels are not compiled here (see show_config())')
    if native.library().quantized_net_level() < 2:
        pytest.skip('this processor has no AVX-512')
    return native.library()


def signs_of(shape):
    return numpy.where(
        numpy.random.uniform(size=shape) < .5, -1, 1).astype('f')


def laid_out(x, how):
    """The same matrix, otherwise in memory."""
    if how == 'columns':
        return numpy.asfortranarray(x)
    if how == 'backwards':
        return numpy.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1]
    if how == 'part':
        wide = numpy.full([s + 3 for s in x.shape], numpy.nan, x.dtype)
        wide[1:-2, 2:-1] = x
        return wide[1:-2, 2:-1]
    if how == 'strided':
        wide = numpy.full([2 * s for s in x.shape], numpy.nan, x.dtype)
        wide[::2, ::2] = x
        return wide[::2, ::2]
    return x


LAYOUTS = ['rows', 'columns', 'backwards', 'part', 'strided']


@pytest.mark.parametrize('shape', SHAPES, ids=str)
@pytest.mark.parametrize('how', LAYOUTS)
def test_floats(library, shape, how):
    m, k, n = shape
    a = laid_out(numpy.random.normal(size=(m, k)).astype('f'), how)
    for signs_how in LAYOUTS:
        signs = laid_out(signs_of((k, n)), signs_how)
        y = sign_product.sign_product(a, signs)
        numpy.testing.assert_allclose(
            y, a.astype('d').dot(signs), 1e-5, 2e-6 * k)


@pytest.mark.parametrize('shape', SHAPES, ids=str)
def test_whole_numbers_are_exact(library, shape):
    m, k, n = shape
    a = numpy.random.randint(-9, 10, (m, k)).astype('f')
    signs = signs_of((k, n))
    numpy.testing.assert_array_equal(
        sign_product.sign_product(a, signs), a.dot(signs))


def test_nothing_is_written_outside(library):
    m, k, n = 7, 9, 21
    around = numpy.full(m * n + 128, 5, 'f')
    y = around[64:64 + m * n].reshape(m, n)
    a, signs = numpy.ones((m, k), 'f'), signs_of((k, n))
    assert native.call('sign_product', a, signs, y, m, k, n)
    numpy.testing.assert_array_equal(y, a.dot(signs))
    assert (around[:64] == 5).all() and (around[64 + m * n:] == 5).all()


def test_not_a_number_spoils_its_row_alone(library):
    a, signs = numpy.ones((8, 40), 'f'), signs_of((40, 20))
    a[2, 7], a[5, 39] = numpy.nan, numpy.inf
    y = sign_product.sign_product(a, signs)
    assert numpy.isnan(y[2]).all()
    # infinite, with the sign of one of its signs
    numpy.testing.assert_array_equal(y[5], numpy.inf * signs[39])
    rest = [0, 1, 3, 4, 6, 7]
    numpy.testing.assert_array_equal(y[rest], a[rest].dot(signs))


@pytest.mark.parametrize('value', [numpy.nan, numpy.inf, 0, .5, -2])
@pytest.mark.parametrize('how', ['rows', 'columns'])
def test_others_than_signs_are_multiplied(library, value, how):
    a = numpy.random.randint(-9, 10, (7, 70)).astype('f')
    for place in ((0, 0), (69, 99), (33, 64)):
        others = signs_of((70, 100))
        others[place] = value
        others = laid_out(others, how)
        with numpy.errstate(invalid='ignore'):
            numpy.testing.assert_array_equal(
                sign_product.sign_product(a, others), a.dot(others))


@pytest.mark.parametrize('n_threads', [1, 2, 3, 16])
def test_threads_do_not_change_a_bit(library, n_threads):
    a, signs = numpy.random.normal(size=(29, 300)).astype('f'), signs_of(
        (300, 150))
    before = library.quantized_net_threads()
    try:
        native.set_threads(1)
        expected = sign_product.sign_product(a, signs)
        native.set_threads(n_threads)
        for _ in range(5):
            numpy.testing.assert_array_equal(
                sign_product.sign_product(a, signs), expected)
    finally:
        native.set_threads(before)


@pytest.mark.parametrize('level', [0, 1])
def test_other_processors_multiply(library, level):
    a, signs = numpy.random.normal(size=(5, 30)).astype('f'), signs_of(
        (30, 12))
    y = numpy.full((5, 12), 7, 'f')
    try:
        library.quantized_net_set_level(level)
        assert not native.call('sign_product', a, signs, y, 5, 30, 12)
        assert (y == 7).all()
        numpy.testing.assert_array_equal(
            sign_product.sign_product(a, signs), a.dot(signs))
    finally:
        library.quantized_net_set_level(2)


@pytest.mark.parametrize('dtype', ['e', 'f', 'd'])
@pytest.mark.parametrize('shape', [(0, 3, 2), (3, 0, 2), (3, 2, 0)])
def test_empty(dtype, shape):
    m, k, n = shape
    y = sign_product.sign_product(
        numpy.ones((m, k), dtype), numpy.ones((k, n), dtype))
    assert y.dtype == dtype
    numpy.testing.assert_array_equal(y, numpy.zeros((m, n)))
