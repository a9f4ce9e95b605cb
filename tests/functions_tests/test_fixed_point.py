"""Fixed point numbers, and gradients that are rounded on their way."""

import chainer
import numpy
import pytest

from quantized_net import functions
from testing import to_cpu


def oracle(x, il, fl):
    """Rounding to the nearest as the paper writes it."""
    eps = 2. ** -fl
    below = numpy.floor(x / eps) * eps
    y = numpy.where(x <= below + eps / 2, below, below + eps)
    return numpy.clip(y, -2. ** (il - 1), 2. ** (il - 1) - eps)


@pytest.mark.parametrize('il,fl', [(2, 14), (8, 8), (6, 10), (3, 0), (-1, 5)])
def test_nearest_against_the_paper(device, il, fl):
    x = numpy.random.normal(0, 2. ** (il - 2), (31, 7)).astype('f')
    y = to_cpu(functions.fixed_point(device.send(x), il, fl))
    numpy.testing.assert_array_equal(y, oracle(x.astype('d'), il, fl))
    at_random = to_cpu(functions.fixed_point(device.send(x), il, fl, key=3))
    # one of the two neighbours, and not always the nearest
    inside = abs(x) < 2. ** (il - 1) - 2. ** -fl
    assert abs(at_random - x)[inside].max() < 2. ** -fl
    assert (at_random != y).any()
    assert (at_random * 2. ** fl % 1 == 0).all()


def test_the_gradient_passes_where_it_saturates_too(device):
    x = chainer.Variable(device.send(numpy.array([-9, .3, 9], 'f')))
    y = functions.fixed_point(x, 2, 3)
    assert to_cpu(y).tolist() == [-2, .25, 1.875]
    y.grad = device.send(numpy.array([1, -2, 3], 'f'))
    y.backward()
    assert to_cpu(x.grad).tolist() == [1, -2, 3]


def test_gradient_through_a_function(device):
    x = chainer.Variable(device.send(numpy.array([1, 2, 3], 'f')))
    y = functions.quantize_gradient(
        x, lambda g: functions.fixed_point(g, 4, 1))
    assert to_cpu(y).tolist() == [1, 2, 3]
    y.grad = device.send(numpy.array([.3, .7, -5.1], 'f'))
    y.backward()
    assert to_cpu(x.grad).tolist() == [.5, .5, -5]


def test_keys_follow_the_seed():
    numpy.random.seed(3)
    keys = [functions.new_key() for _ in range(3)]
    numpy.random.seed(3)
    assert keys == [functions.new_key() for _ in range(3)]
    assert len(set(keys)) == 3 and all(0 <= key < 2 ** 64 for key in keys)


@pytest.mark.parametrize('il,fl', [(1, 0), (20, 5), (2.5, 3)])
def test_formats_that_are_none(il, fl):
    with pytest.raises(ValueError, match='from 2 to 24 bits'):
        functions.fixed_point(numpy.zeros(3, 'f'), il, fl)
