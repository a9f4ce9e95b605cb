"""What the tests of several folders compare with."""

import chainer
import numpy


def to_cpu(x):
    """The NumPy array of a variable or of an array of any device."""
    return chainer.get_device('@numpy').send(getattr(x, 'array', x))


def assert_close(results, tolerance, to_largest=True):
    """Compares two lists of arrays: what Chainer's function gave, and ours.

    The tolerance is relative, and absolute: to the largest of an array where
    that is greater than one, unless ``to_largest`` is false.
    """
    expected, found = [[to_cpu(r) for r in part] for part in results]
    assert len(expected) == len(found)
    for a, b in zip(expected, found):
        assert a.shape == b.shape and a.dtype == b.dtype
        numpy.testing.assert_allclose(
            b, a, tolerance,
            tolerance * max(abs(a).max(), 1) if to_largest else tolerance)
