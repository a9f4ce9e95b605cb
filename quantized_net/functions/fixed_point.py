"""Fixed point numbers, rounded at random or to the nearest."""

import numpy

from quantized_net.functions import straight_through
from quantized_net.kernels import fixed_point as kernels


def new_key():
    """A key of random rounding (an int of 64 bits).

    It is drawn from NumPy's global random state, whatever the device: a
    resumed run, and one on a GPU, rounds as the other would.
    """
    return int.from_bytes(numpy.random.bytes(8), 'little')


def to_fixed_point(x, il, fl, key=None, unit=1.):
    """:func:`fixed_point` of an array, to an array."""
    check_format(il, fl)
    highest = 2 ** (il + fl - 1)
    return kernels.to_multiples(
        x, 2. ** fl / unit, -highest, highest - 1, key)


def check_format(il, fl):
    """Refuses what is no format <IL, FL>.

    Raises:
        ValueError: For a word of less than 2 or more than 24 bits, which
            float32 does not hold.

    """
    if not (isinstance(il, int) and isinstance(fl, int)
            and 2 <= il + fl <= 24):
        raise ValueError(
            'a fixed point number has from 2 to 24 bits, before and behind '
            'the point, not %r and %r' % (il, fl))


class _FixedPoint(straight_through.StraightThroughFunction):

    def __init__(self, *args):
        super(_FixedPoint, self).__init__(clip_value=None)
        self.args = args

    def quantize(self, x):
        return to_fixed_point(x, *self.args)


def fixed_point(x, il, fl, key=None, unit=1.):
    """Rounds to fixed point numbers <IL, FL>, and saturates.

    With :math:`\\epsilon = 2^{-FL}` and :math:`\\lfloor x \\rfloor` the
    largest multiple of it up to x, to the nearest:

    .. math::

        y = \\begin{cases} \\lfloor x \\rfloor &
        x \\leq \\lfloor x \\rfloor + \\epsilon / 2 \\\\
        \\lfloor x \\rfloor + \\epsilon & \\text{otherwise} \\end{cases}

    and at random, so that the expectation is x:

    .. math::

        y = \\begin{cases} \\lfloor x \\rfloor & \\text{with probability }
        1 - (x - \\lfloor x \\rfloor) / \\epsilon \\\\
        \\lfloor x \\rfloor + \\epsilon & \\text{otherwise} \\end{cases}

    within :math:`[-2^{IL - 1}, 2^{IL - 1} - \\epsilon]`.  Probabilities are
    multiples of :math:`2^{-24}`.  The gradient passes straight through, where
    it saturates, too.  NaN stays NaN.

    Args:
        x (:class:`~chainer.Variable` or :ref:`ndarray`): Floats, any shape.
        il, fl (int): Bits before the point, the sign among them, and behind.
        key (int or None): Of random rounding (:func:`new_key`); ``None``
            rounds to the nearest.
        unit (float): What a one stands for.

    Returns:
        ~chainer.Variable: Same shape and dtype as ``x``.

    .. seealso:: Gupta et al., arXiv:1502.02551, section 3.

    """
    return _FixedPoint(il, fl, key, unit).apply((x,))[0]
