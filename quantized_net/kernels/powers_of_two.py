"""Rounding to powers of two in one pass."""

from chainer.backends import cuda
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

    Raises:
        TypeError: If it is no float of 16, 32 or 64 bits.

    """
    char = numpy.dtype(dtype).char
    if char not in _FORMATS:
        raise TypeError('powers of two are made of floats of 16, 32 or 64 '
                        'bits, not of %s' % dtype)
    uint, n_mantissa, threshold = _FORMATS[char]
    width = numpy.dtype(uint).itemsize * 8
    carry = (1 << n_mantissa) - threshold
    keep = (1 << width) - (1 << n_mantissa)
    return uint, uint(carry), uint(keep)


def to_powers_of_two(x, largest, least=0.):
    """Powers of two of x, from a least to a largest magnitude.

    Args:
        x (:ref:`ndarray`): Floats of 16, 32 or 64 bits, any shape.
        largest (float): A power of two, or infinity.
        least (float): A power of two, or 0; what is rounded to less becomes
            a zero of its sign.

    Returns:
        :ref:`ndarray`: :math:`AP2(\\text{clip}(x, -largest, largest))`; NaN
        stays NaN.

    """
    if not isinstance(x, numpy.ndarray):
        return cuda_form(x, largest, least)
    if native.takes(x):
        x = numpy.asarray(x, order='C')
        y = numpy.empty_like(x)
        if native.call('powers_of_two', x, y, x.size, largest, least):
            return y
    return reference(x, largest, least)


def reference(x, largest, least=0.):
    """The NumPy form."""
    uint, carry, keep = constants(x.dtype)
    native_order = x.dtype.newbyteorder('=')
    largest = x.dtype.type(largest)
    y = numpy.array(numpy.clip(x, -largest, largest), native_order, order='C')
    bits = y.view(uint)
    bits += carry
    bits &= keep
    is_nan = numpy.isnan(x)
    if is_nan.any():
        numpy.copyto(y, x, where=is_nan)
    if least:
        y *= ~(abs(y) < y.dtype.type(least))
    return y.astype(x.dtype, copy=False)


def cuda_form(x, largest, least=0.):
    """The CUDA form."""
    uint, carry, keep = constants(x.dtype)
    # CuPy has types from arrays alone: U is that of the bits of x
    return cuda.elementwise(
        'T x, U bits_of_x, T largest, T least, U carry, U keep', 'T y',
        '''
        T c = x > largest ? largest : (x < (T)-largest ? (T)-largest : x);
        U bits = *reinterpret_cast<const U*>(&c);
        bits = (U)(bits + carry) & keep;
        c = *reinterpret_cast<const T*>(&bits);
        y = x != x ? x : (c < least && c > (T)-least ? (T)(c * (T)0) : c);
        ''', 'quantized_net_powers_of_two')(
            x, x.view(uint), x.dtype.type(largest), x.dtype.type(least),
            carry, keep)
