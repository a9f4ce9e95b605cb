"""What goes to C fits; what does not has the NumPy form or NumPy's error."""

import hypothesis
from hypothesis import strategies as st
import numpy
import pytest

from quantized_net.kernels import adam
from quantized_net.kernels import addition
from quantized_net.kernels import batch_normalization as bn
from quantized_net.kernels import clip
from quantized_net.kernels import convolution as conv
from quantized_net.kernels import fixed_point
from quantized_net.kernels import momentum_sgd
from quantized_net.kernels import native
from quantized_net.kernels import pooling
from quantized_net.kernels import powers_of_two
from quantized_net.kernels import sign_product
from quantized_net.kernels import straight_through
from quantized_net.kernels import ternary

settings = hypothesis.settings(
    max_examples=150, deadline=None, derandomize=True, database=None)

# In place: the kernel, its reference, how many arrays, and the numbers.
IN_PLACE = {
    'adam': (adam.adam_update, adam.reference, 4,
             (.1, .001, 1e-3, .003, 1.)),
    'momentum_sgd': (momentum_sgd.momentum_sgd_update,
                     momentum_sgd.reference, 3, (.1, .9, .01)),
    'clip': (clip.clip, clip.reference, 1, (-.5, .25)),
}
FUNCTIONS = {
    'sign': (straight_through.sign, straight_through.sign_reference, 1, ()),
    'pass_inside': (straight_through.pass_inside,
                    straight_through.pass_inside_reference, 2, (.5,)),
    'fixed_point': (fixed_point.to_multiples, fixed_point.reference, 1,
                    (8., -5, 4, 12345)),
    'powers_of_two': (powers_of_two.to_powers_of_two,
                      powers_of_two.reference, 1, (2.,)),
    'ternary': (ternary.ternary, ternary.ternary_reference, 1,
                tuple(numpy.array([.3, .8, 1.2], 'f'))),
}


@st.composite
def arrays(draw, n, shape=None):
    """Some arrays in one buffer, of any kind; mostly of one shape."""
    shapes = st.sampled_from([(), (0,), (1,), (7,), (4, 3), (1, 3), (3, 4)])
    shape = draw(shapes) if shape is None else shape
    rng = numpy.random.RandomState(draw(st.integers(0, 99)))
    whole = numpy.zeros(4096, 'u1')
    taken, start = [], 64
    for _ in range(n):
        dtype = numpy.dtype(draw(st.sampled_from(
            ['<f4', '<f4', '<f4', '>f4', '<f8', '<f2'])))
        own = draw(st.sampled_from([shape, shape, shape, (4, 3), (1,)]))
        step = draw(st.sampled_from([1, 1, 1, 2, -1]))
        start += draw(st.sampled_from([0, 0, 0, 1, 2]))
        # over the one before: all of it, or its end
        if taken and draw(st.integers(0, 9)) == 0:
            start -= draw(st.sampled_from([4, 8, 28]))
        count = int(numpy.prod(own)) * abs(step)
        part = whole[start:start + count * dtype.itemsize].view(dtype)
        part = part[::step][:int(numpy.prod(own))].reshape(own) if (
            step == 1 or len(own) != 1) else part[::step]
        part[...] = rng.uniform(0, 1, own) - draw(st.sampled_from([0, .5]))
        part.flags.writeable = draw(st.integers(0, 9)) != 0
        taken.append(part)
        start += part.nbytes * abs(step)
    return taken


def copies_of(taken):
    """The same views of a copy of their memory."""
    base = taken[0]
    while base.base is not None:
        base = base.base
    other = base.copy()
    found = []
    for a in taken:
        offset = a.__array_interface__['data'][0] - (
            base.__array_interface__['data'][0])
        copy = numpy.ndarray(a.shape, a.dtype, other, offset, a.strides)
        copy.flags.writeable = a.flags.writeable
        found.append(copy)
    return found


def outcome(function, *args):
    """The results, or the type of what was raised."""
    with numpy.errstate(all='ignore'):
        try:
            found = function(*args)
        except (ValueError, TypeError) as e:
            return type(e)
    return found if isinstance(found, tuple) else (found,)


def assert_same(found, expected):
    if isinstance(expected, type):
        assert found is expected
        return
    for a, b in zip(found, expected):
        numpy.testing.assert_array_equal(a, b)


@pytest.mark.parametrize('name', IN_PLACE)
@settings
@hypothesis.given(data=st.data())
def test_in_place(name, data):
    function, reference, n, numbers = IN_PLACE[name]
    taken = data.draw(arrays(n))
    others = copies_of(taken)
    found = outcome(function, *taken, *numbers)
    assert_same(found, outcome(reference, *others, *numbers))
    assert_same(taken, others)


@pytest.mark.parametrize('name', FUNCTIONS)
@settings
@hypothesis.given(data=st.data())
def test_functions(name, data):
    function, reference, n, numbers = FUNCTIONS[name]
    taken = data.draw(arrays(n))
    assert_same(outcome(function, *taken, *numbers),
                outcome(reference, *taken, *numbers))


@settings
@hypothesis.given(data=st.data())
def test_addition(data):
    taken = data.draw(arrays(2, (1, 3, 2, 2)))
    others = copies_of(taken)
    taken, others = [[a.reshape((1, 3, 2, 2)) if a.size == 12 else
                      a.reshape((1, 1, 1, -1)) for a in some]
                     for some in (taken, others)]
    assert_same(outcome(addition.add_to, *taken),
                outcome(addition.reference, *others))
    assert_same(taken, others)


@pytest.mark.parametrize('function,reference,count,numbers', [
    (adam.adam_update, adam.reference, 4, (.1, .001, 1e-8, .003, 1.)),
    (momentum_sgd.momentum_sgd_update, momentum_sgd.reference, 3,
     (.1, .9, .01))])
@pytest.mark.parametrize('short', [0, 1, 2])
def test_unequal_lengths(function, reference, count, numbers, short):
    taken = [numpy.ones(100000 if i == short else 10, 'f')
             for i in range(count)]
    with pytest.raises(ValueError, match='broadcast'):
        function(*taken, *numbers)


def test_read_only_parameters():
    x = numpy.ones(9, 'f')
    x.flags.writeable = False
    for function, args in ((clip.clip, (-.5, .5)), (
            momentum_sgd.momentum_sgd_update,
            (numpy.ones(9, 'f'), numpy.ones(9, 'f'), .1, .9, 0.))):
        with pytest.raises(ValueError, match='read-only'):
            function(x, *args)
    assert (x == 1).all()


def test_sizes_that_do_not_fit_go_nowhere():
    """Each kernel, with an array that is one element short."""
    if native.library() is None:
        pytest.skip('the kernels are not compiled here (see show_config())')
    x = numpy.ones((2, 3, 4, 5), 'f')
    rows, c = x.reshape(-1, 5), numpy.ones(5, 'f')
    window = (2, 4, 3, 5, 3, 5, 1, 1, 1, 1, 0, 0)
    sizes = conv.sizes((2, 4, 3, 5), (2, 6, 3, 5), conv.Geometry(
        (1, 1), (1, 1), (0, 0), (1, 1), 1))
    images, y = x.reshape(2, 4, 3, 5), numpy.ones((2, 3, 5, 6), 'f')
    W = numpy.ones((6, 4, 1, 1), 'f')
    for name, args in (
            ('channel_moments', (rows, 24, 5, c, c.copy())),
            ('batch_normalization', (
                rows, None, 24, 5, c, c, c, False, rows.copy())),
            ('max_pooling', (window, x, x.copy(), x.astype('B'))),
            ('convolution', (sizes, images, W, None, y)),
            ('convolution_gradient_W', (sizes, images, y, W)),
            ('convolve_codes', (sizes, images, W, None, y, 1., 1.)),
            ('convolve_codes', (
                sizes, images, W, numpy.ones(6, 'f'), y, 1., 0.)),
            ('sign_product', (rows, rows[:5], numpy.ones((24, 5), 'f'), 24,
                              5, 5))):
        assert native.call(name, *args), name
        for i, a in enumerate(args):
            if isinstance(a, numpy.ndarray):
                short = numpy.ones(a.size - 1, a.dtype)
                assert not native.call(
                    name, *args[:i], short, *args[i + 1:]), (name, i)
                assert not native.call(name, *args[:i], a.astype(
                    a.dtype.newbyteorder('S') if a.itemsize > 1 else 'f'),
                    *args[i + 1:]), (name, i)


def test_shapes_that_do_not_fit_raise():
    x, W = numpy.ones((2, 4, 5, 5), 'f'), numpy.ones((6, 3, 3, 3), 'f')
    geometry = conv.Geometry((3, 3), (1, 1), (0, 0), (1, 1), 1)
    with pytest.raises(ValueError):
        conv.convolution(x, W, None, geometry, (3, 3))
    with pytest.raises(ValueError):
        bn.normalize(x, *numpy.ones((3, 5), 'f'))
    with pytest.raises(ValueError):
        sign_product.sign_product(x[0, 0], numpy.ones((4, 3), 'f'))
    if native.library() is not None:
        with pytest.raises(ValueError, match='do not fit'):
            pooling.max_pooling_gradient(
                x, x.astype('B')[:1], (2, 2), (2, 2), (0, 0), (10, 10))


@pytest.mark.parametrize('dtype', ['e', 'f', 'd'])
def test_powers_of_two_in_the_other_byte_order(dtype):
    x = numpy.random.normal(size=50).astype(dtype)
    swapped = x.astype(x.dtype.newbyteorder('S'))
    found = powers_of_two.to_powers_of_two(swapped, 2.)
    assert found.dtype == swapped.dtype
    numpy.testing.assert_array_equal(
        found, powers_of_two.to_powers_of_two(x, 2.))
