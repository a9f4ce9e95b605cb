"""Channels last: how the kernels want images in memory.

Arrays keep Chainer's shape (N, C, H, W); only their strides differ, so every
function of Chainer takes them.  NumPy's element-wise operations keep the
strides, and a network stays channels-last from its first kernel on.
"""

import numpy


def channels_last(x):
    """The array in the shape (N, H, W, C), C-contiguous.

    It is a view where the strides are right already, else a copy.
    """
    return numpy.ascontiguousarray(x.transpose(0, 2, 3, 1))


def empty(shape, dtype=numpy.float32):
    """A new array of shape (N, C, H, W) that is channels-last in memory."""
    n, c, h, w = shape
    return numpy.empty((n, h, w, c), dtype).transpose(0, 3, 1, 2)
