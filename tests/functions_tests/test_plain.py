"""Which arrays the compiled kernels get."""

import chainer
from chainer import memory_layouts
import numpy
import pytest

from quantized_net.functions import plain


@pytest.mark.parametrize('dtype', ['f', 'd'])
def test_floats_of_one_type(dtype):
    a = numpy.ones((2, 3), dtype)
    assert plain.are_plain(a)
    assert plain.are_plain(a, chainer.Variable(a), a[:, ::2])


@pytest.mark.parametrize('other', [
    numpy.ones(3, 'd'), numpy.ones(3, 'e'), numpy.ones(3, 'i'),
    numpy.ones((0, 3), 'f'), chainer.Variable(numpy.ones((0, 3), 'f')),
    numpy.ma.ones(3, 'f'), [1., 2.], 1.5,
    chainer.Variable(numpy.ones((1, 2, 3, 4), 'f')).as_layout(
        memory_layouts.CUDNN_CHANNEL_LAST_X)])
def test_all_else(other):
    a = numpy.ones(3, 'f')
    assert not plain.are_plain(a, other)
    assert not plain.are_plain(other, a)


@pytest.mark.parametrize('dtype', ['e', 'i', '?'])
def test_other_types_alone(dtype):
    assert not plain.are_plain(numpy.ones(3, dtype))
