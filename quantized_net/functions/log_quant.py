"""Quantization to powers of two."""

from quantized_net.functions import straight_through
from quantized_net.kernels import powers_of_two


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

    Raises:
        TypeError: If ``x`` holds other numbers.

    .. seealso:: Courbariaux et al., arXiv:1602.02830, algorithm 3.

    """
    return powers_of_two.to_powers_of_two(x, float('inf'))


class _LogQuant(straight_through.StraightThroughFunction):

    def __init__(self, min_exponent, max_exponent, clip_value):
        super(_LogQuant, self).__init__(clip_value)
        if min_exponent is not None and min_exponent > max_exponent:
            raise ValueError('min_exponent %r is above max_exponent %r' % (
                min_exponent, max_exponent))
        self.min_exponent = min_exponent
        self.max_exponent = max_exponent

    def quantize(self, x):
        return powers_of_two.to_powers_of_two(
            x, 2.0 ** self.max_exponent, 0. if self.min_exponent is None
            else 2.0 ** self.min_exponent)


def log_quant(x, min_exponent=None, max_exponent=0, clip_value=1.0):
    """Rounds to a power of two, within bounds.

    .. math::

        y = \\text{clip}(AP2(x), -2^{\\text{max\\_exponent}},
                         2^{\\text{max\\_exponent}})

    The gradient passes straight through where :math:`|x| \\leq`
    ``clip_value``.  For the boundary see :func:`ap2`; an infinity becomes the
    largest power.

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
