"""Powers of two within the range of a layer (INQ)."""

from chainer import backend
import numpy

from quantized_net.functions import straight_through


def largest_exponent(W):
    """The exponent n1 of the largest power that a layer's weights get.

    .. math:: n_1 = \\lfloor \\log_2 (4 s / 3) \\rfloor \\qquad s = \\max |W|

    Args:
        W (:ref:`ndarray`): Weights, any shape; read from the device.

    Returns:
        int: 0 for weights that are all zeros, or none at all.  What is not
        finite does not count.

    .. seealso:: Zhou et al., arXiv:1702.03044, eq. 2.

    """
    xp = backend.get_array_module(W)
    s = float(xp.where(xp.isfinite(W), abs(W), 0).max()) if W.size else 0.
    if s == 0:
        return 0
    mantissa, exponent = numpy.frexp(s)
    # 4 s / 3 is at least a power of two where the mantissa is 3/4 or more
    return int(exponent) - 1 + bool(mantissa >= .75)


def inq_magnitudes(bits, n1):
    """The magnitudes beside zero that b bits have.

    .. math:: 2^{n_2}, \\dots, 2^{n_1} \\qquad
        n_2 = n_1 + 1 - 2^{b - 1} / 2

    Args:
        bits (int): b, of a code, one of them for the zero.
        n1 (int): The largest exponent.

    Returns:
        list of float: In rising order, :math:`2^{b-2}` of them.

    .. seealso:: arXiv:1702.03044, section 2.1.

    """
    return [2. ** e for e in range(n1 + 1 - 2 ** (bits - 2), n1 + 1)]


def inq_boundaries(magnitudes):
    """Where each of the magnitudes begins: eq. 4 of arXiv:1702.03044.

    With the neighbours :math:`\\alpha < \\beta` among zero and the
    magnitudes, :math:`\\beta` begins at :math:`(\\alpha + \\beta) / 2`:
    halfway from zero to the least, and at 3/4 of each other.
    """
    return [(a + b) / 2 for a, b in zip([0.] + magnitudes, magnitudes)]


class _INQ(straight_through.StraightThroughFunction):

    def __init__(self, magnitudes):
        super(_INQ, self).__init__(clip_value=None)
        self.magnitudes = magnitudes

    def quantize(self, x):
        xp = backend.get_array_module(x)
        levels = xp.array([0.] + self.magnitudes, x.dtype)
        begins = xp.array(inq_boundaries(self.magnitudes), x.dtype)
        index = xp.searchsorted(begins, abs(x).ravel(), side='right')
        y = xp.copysign(levels[index.reshape(x.shape)], x)
        # no -0.0, and NaN stays NaN
        return xp.where(xp.isnan(x), x, y + x.dtype.type(0))


def inq(W, bits, n1):
    """Rounds to a power of two between two bounds, or to zero.

    With neighbours :math:`\\alpha < \\beta` among zero and
    :math:`2^{n_2}, \\dots, 2^{n_1}` (:func:`inq_magnitudes`):

    .. math::

        y = \\begin{cases} \\beta \\, \\text{sign}(W) &
        (\\alpha + \\beta) / 2 \\leq |W| < 3 \\beta / 2 \\\\
        0 & |W| < 2^{n_2} / 2 \\end{cases}

    What is larger, which the paper does not speak of, becomes
    :math:`2^{n_1}`, infinity too.  A magnitude on a boundary is of the
    larger; NaN stays NaN.  The gradient passes straight through.

    Args:
        W (~chainer.Variable): Weights, any shape.
        bits (int): b, of a code.
        n1 (int): The largest exponent.

    Returns:
        ~chainer.Variable: Same shape and dtype as ``W``.

    .. seealso:: Zhou et al., arXiv:1702.03044, eq. 4.

    """
    return _INQ(inq_magnitudes(bits, n1)).apply((W,))[0]
