"""The sign, and where a gradient passes straight through, in one pass."""

import numpy

from quantized_net.kernels import native


def sign(x):
    """+1 where x >= 0, else -1 (NaN too)."""
    if not native.takes(x):
        return sign_reference(x)
    x = numpy.asarray(x, order='C')
    y = numpy.empty_like(x)
    native.call('sign', x, y, x.size)
    return y


def pass_inside(x, gy, bound):
    """gy where \\|x\\| <= bound, else 0 (where x is NaN too).

    Args:
        x, gy (numpy.ndarray): Of one shape and dtype.
        bound (float): Above 0.

    Returns:
        numpy.ndarray: Same shape.

    """
    if not native.takes(x, gy):
        return pass_inside_reference(x, gy, bound)
    x, gy = numpy.asarray(x, order='C'), numpy.asarray(gy, order='C')
    gx = numpy.empty_like(gy)
    native.call('pass_inside', x, gy, gx, x.size, bound)
    return gx


def sign_reference(x):
    """The NumPy form of :func:`sign`."""
    return codes_to_signs(x >= 0, x.dtype)


def codes_to_signs(is_positive, dtype):
    """-1 and 1 out of booleans.

    They become -1 and 1 while they are one byte each: several times faster
    than ``numpy.where``.
    """
    codes = numpy.asarray(is_positive).view(numpy.int8)
    return numpy.asarray(
        codes * numpy.int8(2) - numpy.int8(1)).astype(dtype)


def pass_inside_reference(x, gy, bound):
    """The NumPy form of :func:`pass_inside`."""
    # a product with a mask: several times faster than numpy.where
    return gy * (numpy.abs(x) <= bound)
