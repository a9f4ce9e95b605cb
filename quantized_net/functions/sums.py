"""Sums of half precision that do not overflow on the way."""

from chainer import functions as F
import numpy


def sum_in_float32(x, axis):
    """:func:`chainer.functions.sum`, in float32 where x is float16.

    Args:
        x (~chainer.Variable): Floats.
        axis (int or tuple of ints): As in Chainer.

    Returns:
        ~chainer.Variable: Of the dtype of ``x``.

    """
    if x.dtype != numpy.float16:
        return F.sum(x, axis)
    return F.cast(F.sum(F.cast(x, numpy.float32), axis), x.dtype)
