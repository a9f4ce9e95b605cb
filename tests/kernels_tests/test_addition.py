"""Addition in place, for any strides."""

import numpy
import pytest

from quantized_net.kernels import addition

LAYOUTS = {
    'channels first': lambda a: a.copy(),
    'channels last': lambda a: a.transpose(0, 2, 3, 1).copy().transpose(
        0, 3, 1, 2),
    'part': lambda a: numpy.repeat(a, 2, axis=1)[:, ::2],
    'backwards': lambda a: a[::-1].copy()[::-1]}


@pytest.mark.parametrize('of_y', LAYOUTS)
@pytest.mark.parametrize('of_x', LAYOUTS)
@pytest.mark.parametrize('dtype', ['f', 'd'])
@pytest.mark.parametrize('shape', [
    (2, 3, 4, 5), (1, 1, 1, 1), (0, 3, 2, 2), (3, 17, 1, 9)])
def test_as_numpy(of_y, of_x, dtype, shape):
    y, x = [take(numpy.random.normal(size=shape).astype(dtype))
            for take in (LAYOUTS[of_y], LAYOUTS[of_x])]
    whole = y if y.base is None else y.base
    before, expected = whole.copy(), y + x
    addition.add_to(y, x)
    numpy.testing.assert_array_equal(y, expected)
    # nothing else is touched
    assert (whole != before).sum() <= y.size
