"""Quantization to powers of two."""

import numpy

from chainer import backend
from chainer.backends import cuda

from quantized_net.functions import straight_through

# Of each float format: the unsigned integer of its size, the bits of its
# mantissa, and the least mantissa whose number, times a power of two, lies
# above the square root of two, where log2 rounds up.
_FORMATS = {
    'e': (numpy.uint16, 10, 0x1a9),
    'f': (numpy.uint32, 23, 0x3504f4),
    'd': (numpy.uint64, 52, 0x6a09e667f3bcd),
}


def _constants(dtype):
    """What to add to the bits of a float, and what then to keep of them."""
    uint, n_mantissa, threshold = _FORMATS[numpy.dtype(dtype).char]
    width = numpy.dtype(uint).itemsize * 8
    carry = (1 << n_mantissa) - threshold
    keep = (1 << width) - (1 << n_mantissa)
    return uint, uint(carry), uint(keep)


def ap2(x):
    """The nearest power of two in the logarithm, with the sign of x.

    .. math:: AP2(x) = \\text{sign}(x) \\cdot 2^{\\text{round}(\\log_2 |x|)}

    Done on the bits of the number, so it is exact, fast and the same on
    every device: a mantissa above the square root of two carries into the
    exponent, then the mantissa is dropped.

    0 stays 0 and -0.0 stays -0.0; NaN stays NaN and infinity infinity; a
    subnormal number becomes 0 or the smallest normal one; what would round
    beyond the largest power of two becomes infinity.

    Args:
        x (:ref:`ndarray`): Floats of 16, 32 or 64 bits, any shape.

    Returns:
        :ref:`ndarray`: Same shape and dtype as ``x``.

    .. seealso:: Courbariaux et al., arXiv:1602.02830, algorithm 3.

    """
    if isinstance(x, numpy.ndarray):
        y = numpy.array(x, order='C')
        _drop_mantissa(y)
        is_finite = numpy.isfinite(x)
        if not is_finite.all():
            numpy.copyto(y, x, where=~is_finite)
        return y
    _, carry, keep = _constants(x.dtype)
    return cuda.elementwise(
        'T x, U carry, U keep', 'T y',
        '''
        U bits = *reinterpret_cast<const U*>(&x);
        bits = (U)(bits + carry) & keep;
        y = isfinite((double)x) ? *reinterpret_cast<const T*>(&bits) : x;
        ''', 'quantized_net_ap2')(x, carry, keep)


def _drop_mantissa(x):
    """AP2 in place, of a contiguous NumPy array of finite numbers."""
    uint, carry, keep = _constants(x.dtype)
    bits = x.view(uint)
    bits += carry
    bits &= keep


class _LogQuant(straight_through.StraightThroughFunction):

    def __init__(self, min_exponent, max_exponent, clip_value):
        super(_LogQuant, self).__init__(clip_value)
        if min_exponent is not None and min_exponent > max_exponent:
            raise ValueError('min_exponent %r is above max_exponent %r' % (
                min_exponent, max_exponent))
        self.min_exponent = min_exponent
        self.max_exponent = max_exponent

    def forward(self, inputs):
        x, = inputs
        if self.clip_value is not None:
            self.retain_inputs((0,))
        largest = x.dtype.type(2.0 ** self.max_exponent)
        # the bound is a power of two, so it may be applied first
        xp = backend.get_array_module(x)
        y = xp.asarray(x.clip(-largest, largest))
        if xp is numpy and y.size and y.flags.c_contiguous and not (
                numpy.isnan(y.min())):
            _drop_mantissa(y)  # saves ap2's copy and its look for infinity
        else:
            y = ap2(y)
        if self.min_exponent is not None:
            # an underflow becomes 0; NaN stays NaN
            y *= ~(abs(y) < x.dtype.type(2.0 ** self.min_exponent))
        return y,


def log_quant(x, min_exponent=None, max_exponent=0, clip_value=1.0):
    """Rounds to a power of two, within bounds.

    .. math::

        y = \\text{clip}(AP2(x), -2^{\\text{max\\_exponent}},
                         2^{\\text{max\\_exponent}})

    The gradient passes straight through where :math:`|x| \\leq`
    ``clip_value``.  For the boundary see :func:`ap2`.

    Args:
        x (:class:`~chainer.Variable` or :ref:`ndarray`): Floats, any shape.
        min_exponent (int or None): Results below :math:`2^{min\\_exponent}`
            in magnitude become 0.  ``None`` sets no lower limit.
        max_exponent (int): The largest exponent.
        clip_value (float or None): Where the gradient is cut off.

    Returns:
        ~chainer.Variable: Same shape and dtype as ``x``.

    .. seealso:: Hubara et al., arXiv:1609.07061, LogQuant.

    """
    return _LogQuant(min_exponent, max_exponent, clip_value).apply((x,))[0]
