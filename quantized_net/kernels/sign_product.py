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
            others, NaN among them, are multiplied.

    Returns:
        numpy.ndarray: Shape (M, N).

    """
    if native.takes(a, signs):
        if signs.itemsize not in signs.strides:
            signs = numpy.ascontiguousarray(signs)
        y = numpy.empty((a.shape[0], signs.shape[1]), a.dtype)
        if native.call('sign_product', a, signs, y, len(a), *signs.shape):
            return y
    return reference(a, signs)


def reference(a, signs):
    """The NumPy form."""
    return a.dot(signs)
