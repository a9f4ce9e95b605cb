"""Rounding to powers of two in one pass."""

import numpy

from quantized_net.kernels import native


# Of each float format: the unsigned integer of its size, the bits of its
# mantissa, and the least mantissa whose number, times a power of two, lies
# above the square root of two, where log2 rounds up.
_FORMATS = {
    'e': (numpy.uint16, 10, 0x1a9),
    'f': (numpy.uint32, 23, 0x3504f4),
    'd': (numpy.uint64, 52, 0x6a09e667f3bcd),
}


def constants(dtype):
    """What to add to the bits of a float, and what then to keep of them.

    Returns:
        tuple: The type of the bits, the summand and the mask.

    """
    uint, n_mantissa, threshold = _FORMATS[numpy.dtype(dtype).char]
    width = numpy.dtype(uint).itemsize * 8
    carry = (1 << n_mantissa) - threshold
    keep = (1 << width) - (1 << n_mantissa)
    return uint, uint(carry), uint(keep)


def to_powers_of_two(x, largest):
    """Powers of two of x, up to a largest magnitude.

    Args:
        x (numpy.ndarray): Floats, any shape.
        largest (float): A power of two.

    Returns:
        numpy.ndarray: :math:`AP2(\\text{clip}(x, -largest, largest))`; NaN
        stays NaN.

    """
    library = native.library()
    if (library is not None and x.dtype == numpy.float32
            and x.flags.c_contiguous):
        return call(library, x, largest)
    return reference(x, largest)


def call(library, x, largest):
    """The compiled form."""
    y = numpy.empty(x.shape, numpy.float32)
    library.quantized_net_powers_of_two(
        x.ctypes.data, y.ctypes.data, x.size, largest)
    return y


def reference(x, largest):
    """The NumPy form."""
    uint, carry, keep = constants(x.dtype)
    largest = x.dtype.type(largest)
    clipped = numpy.array(numpy.clip(x, -largest, largest), order='C')
    bits = clipped.view(uint) + carry
    bits &= keep
    y = numpy.asarray(bits).view(x.dtype)
    is_nan = numpy.isnan(x)
    if is_nan.any():
        numpy.copyto(y, x, where=is_nan)
    return y
