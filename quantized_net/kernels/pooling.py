"""Max and average pooling of images."""

import numpy

from quantized_net.kernels import layout
from quantized_net.kernels import native


def is_compiled(x, kernel):
    """Whether the compiled kernels take an array and a window."""
    return native.takes(x) and kernel[0] * kernel[1] <= 256


def max_pooling(x, kernel, stride, pad, out_size):
    """The largest of each window, and its place there.

    Args:
        x (numpy.ndarray): float32 images, shape (N, C, H, W).
        kernel, stride, pad (tuple): Pairs for height and width.
        out_size (tuple): H', W'.

    Returns:
        tuple: The values, and the places (uint8), both of shape
        (N, C, H', W') and channels-last in memory.

    """
    shape = x.shape[:2] + tuple(out_size)
    y, places = layout.empty(shape), layout.empty(shape, numpy.uint8)
    _call('max_pooling', x.shape, kernel, stride, pad, out_size, x, y,
          places)
    return y, places


def max_pooling_gradient(gy, places, kernel, stride, pad, in_size):
    """The gradient of :func:`max_pooling` to its images."""
    gx = layout.empty(gy.shape[:2] + tuple(in_size))
    _call('max_pooling_gradient', gx.shape, kernel, stride, pad,
          gy.shape[2:], _as_float32(gy), places, gx)
    return gx


def average_pooling(x, kernel, stride, pad, out_size):
    """The mean of each window; the padding counts as zeros."""
    y = layout.empty(x.shape[:2] + tuple(out_size))
    _call('average_pooling', x.shape, kernel, stride, pad, out_size, x, y)
    return y


def average_pooling_gradient(gy, kernel, stride, pad, in_size):
    """The gradient of :func:`average_pooling` to its images."""
    gx = layout.empty(gy.shape[:2] + tuple(in_size))
    _call('average_pooling_gradient', gx.shape, kernel, stride, pad,
          gy.shape[2:], _as_float32(gy), gx)
    return gx


def _as_float32(gy):
    return gy if native.takes(gy) else numpy.array(gy, numpy.float32)


def _call(name, in_shape, kernel, stride, pad, out_size, *images):
    sizes = in_shape + tuple(out_size) + tuple(kernel) + tuple(
        stride) + tuple(pad)
    if not native.call(name, sizes, *map(layout.channels_last, images)):
        # there is no NumPy form: the functions have Chainer's
        raise ValueError('%s: the images do not fit their sizes %r' % (
            name.replace('_', ' '), sizes))
