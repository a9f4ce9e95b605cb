"""The product of floats with signs, looked up instead of multiplied."""

import numpy

from quantized_net.kernels import native


def sign_product(a, signs):
    """The matrix product of floats with signs.

    Four signs at a time choose one of the sixteen sums that four floats can
    have with them; with AVX-512 this takes less than half of the time of the
    same product in BLAS.  Where ``a`` holds small whole numbers, signs among
    them, the result is exact.

    Args:
        a (numpy.ndarray): Floats, shape (M, K).
        signs (numpy.ndarray): -1 and +1, shape (K, N), of the same dtype;
            for other values the result is undefined.

    Returns:
        numpy.ndarray: Shape (M, N).

    """
    if native.takes(a, signs):
        y = numpy.empty((a.shape[0], signs.shape[1]), a.dtype)
        if call(native.library(), a, signs, y):
            return y
    return reference(a, signs)


def call(library, a, signs, y):
    """The compiled form; answers whether this processor can do it."""
    if signs.itemsize not in signs.strides:
        signs = numpy.ascontiguousarray(signs)
    strides = [s // a.itemsize for s in a.strides + signs.strides]
    return library.quantized_net_sign_product(
        a.ctypes.data, *strides[:2], signs.ctypes.data, *strides[2:],
        y.ctypes.data, a.shape[0], *signs.shape)


def reference(a, signs):
    """The NumPy form."""
    return a.dot(signs)
