"""Clipping beside NumPy's."""

import numpy
import pytest

from quantized_net.kernels import clip


@pytest.mark.parametrize('dtype', ['e', 'f', 'd'])
@pytest.mark.parametrize('shape', [(), (0,), (1,), (67,), (300, 250)])
@pytest.mark.parametrize('bounds', [(-1., 1.), (-.3, .1), (.2, .7)])
def test_as_numpy(dtype, shape, bounds):
    x = numpy.asarray(numpy.random.normal(size=shape)).astype(dtype)
    flat = x.reshape(-1)
    flat[3::7] = numpy.nan
    flat[5::11] = numpy.inf
    flat[6::11] = -numpy.inf
    expected = numpy.clip(x, *bounds)
    clip.clip(x, *bounds)
    assert x.dtype == dtype
    numpy.testing.assert_array_equal(x, expected)


@pytest.mark.parametrize('take', [
    lambda x: x[::2], lambda x: x.T, lambda x: x[:, 1:]])
def test_part_of_an_array(take):
    x = numpy.random.normal(size=(40, 30)).astype('f')
    expected = x.copy()
    take(expected)[...] = take(expected).clip(-.5, .5)
    clip.clip(take(x), -.5, .5)
    numpy.testing.assert_array_equal(x, expected)
