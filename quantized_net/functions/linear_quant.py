"""Uniform quantization to multiples of a step."""

from quantized_net.functions import straight_through
from quantized_net.kernels import linear_quant as kernels


class _LinearQuant(straight_through.StraightThroughFunction):

    def __init__(self, step, low, high, clip_value):
        super(_LinearQuant, self).__init__(clip_value)
        if not step > 0:
            raise ValueError('step must be positive, not %r' % (step,))
        if not low < high:
            raise ValueError('low must be below high: %r, %r' % (low, high))
        self.step = step
        self.low = low
        self.high = high

    def quantize(self, x):
        return kernels.to_steps(x, self.step, self.low, self.high)


def linear_quant(x, step, low=-1.0, high=1.0, clip_value=1.0):
    """Rounds to the nearest multiple of a step, within bounds.

    .. math::

        y = \\text{clip}(\\text{round}(x / \\text{step}) \\cdot \\text{step},
                         \\text{low}, \\text{high})

    The gradient passes straight through where :math:`|x| \\leq`
    ``clip_value``.  Half a step is rounded to the even multiple; an infinity
    becomes its bound, NaN stays NaN.  The paper calls the step
    "bitwidth"; for b bits on [-1, 1) the step is :math:`2^{1-b}` and ``high``
    is one step below 1.

    Args:
        x (:class:`~chainer.Variable` or :ref:`ndarray`): Floats, any shape.
        step (float): Distance of neighbouring levels; a power of two makes
            the levels exact.
        low (float): Lowest level.
        high (float): Highest level.
        clip_value (float or None): Where the gradient is cut off.

    Returns:
        ~chainer.Variable: Same shape and dtype as ``x``.

    .. seealso:: Hubara et al., arXiv:1609.07061, LinearQuant.

    """
    return _LinearQuant(step, low, high, clip_value).apply((x,))[0]
