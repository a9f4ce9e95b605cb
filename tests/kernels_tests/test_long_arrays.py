"""Arrays that the threads share out: as the references, to the last bit."""

import numpy
import pytest

from quantized_net.kernels import adam
from quantized_net.kernels import addition
from quantized_net.kernels import clip
from quantized_net.kernels import momentum_sgd
from quantized_net.kernels import native
from quantized_net.kernels import powers_of_two
from quantized_net.kernels import straight_through
from quantized_net.kernels import ternary

pytestmark = pytest.mark.skipif(
    native.library() is None,
    reason='the kernels are not compiled here (see show_config())')


@pytest.fixture(params=[1, 2, 5], autouse=True)
def threads(request):
    before = native.library().quantized_net_threads()
    native.set_threads(request.param)
    yield
    native.set_threads(before)


@pytest.fixture(params=[32767, 32768, 32769, 65536, 200003])
def arrays(request):
    """Four of them, the last without negative numbers."""
    found = list(numpy.random.normal(size=(4, request.param)).astype('f'))
    found[3] *= found[3]
    return found


def assert_same(found, expected):
    for a, b in zip(found, expected):
        numpy.testing.assert_array_equal(a, b)


def test_functions(arrays):
    x, g = arrays[:2]
    numbers = numpy.array([.1, .8, 1.2], 'f')
    for function, reference, args in (
            (straight_through.sign, straight_through.sign_reference, (x,)),
            (straight_through.pass_inside,
             straight_through.pass_inside_reference, (x, g, .7)),
            (powers_of_two.to_powers_of_two, powers_of_two.reference,
             (x, 2.)),
            (ternary.ternary, ternary.ternary_reference, (x, *numbers))):
        found, expected = function(*args), reference(*args)
        if not isinstance(found, tuple):
            found, expected = [found], [expected]
        assert_same(found, expected)


def test_updates(arrays):
    others = [a.copy() for a in arrays]
    for (x, g, m, v), adam_update, sgd_update, clip_update in (
            (arrays, adam.adam_update, momentum_sgd.momentum_sgd_update,
             clip.clip),
            (others, adam.reference, momentum_sgd.reference,
             clip.reference)):
        adam_update(x, g, m, v, .1, .001, 1e-8, .003, 1.)
        sgd_update(x, g, m, .1, .9, .01)
        clip_update(x, -1., 1.)
    assert_same(arrays, others)


def test_addition(arrays):
    y, x = [a[None, :, None, None] for a in arrays[:2]]
    expected = y + x
    addition.add_to(y, x)
    assert_same([y], [expected])


def test_sums(arrays):
    W, g = arrays[:2]
    _, codes = ternary.ternary(W, *numpy.array([.1, .8, 1.2], 'f'))
    scales = numpy.array([.8, 1.2], 'f')
    found = ternary.ternary_gradient(g, codes, *scales)
    assert_same(found[:1], ternary.ternary_gradient_reference(
        g, codes, *scales)[:1])
    for total, sign in zip(found[1:], (1, -1)):
        expected = g[codes == sign].sum(dtype='d')
        assert abs(total - expected) <= 1e-6 * abs(g).sum(dtype='d')
    native.set_threads(1)
    assert_same(found, ternary.ternary_gradient(g, codes, *scales))
