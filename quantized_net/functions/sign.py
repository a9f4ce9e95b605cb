"""Binarization to -1 and +1, deterministic and stochastic."""

from chainer import backend

from quantized_net.functions import straight_through
from quantized_net.kernels import straight_through as kernels


class _Sign(straight_through.StraightThroughFunction):

    def quantize(self, x):
        return kernels.sign(x)


class _StochasticSign(straight_through.StraightThroughFunction):

    def __init__(self, clip_value, draws):
        super(_StochasticSign, self).__init__(clip_value)
        self.draws = draws

    def quantize(self, x):
        draws = self.draws
        if draws is None:
            draws = backend.get_array_module(x).random.random_sample(x.shape)
        return kernels.stochastic_sign(x, draws)


def sign(x, clip_value=1.0):
    """Binarizes to -1 and +1 with a straight-through gradient.

    .. math::

        y = \\begin{cases} +1 & x \\geq 0 \\\\ -1 & x < 0 \\end{cases}
        \\qquad
        \\frac{\\partial L}{\\partial x} = \\begin{cases}
            \\frac{\\partial L}{\\partial y} & |x| \\leq \\text{clip\\_value}
            \\\\ 0 & \\text{otherwise} \\end{cases}

    On the boundary: 0 and -0.0 become +1 (there is no zero in the range), an
    infinity its sign; NaN stays NaN and its gradient is 0.

    Args:
        x (:class:`~chainer.Variable` or :ref:`ndarray`): Floats, any shape.
        clip_value (float or None): Where the gradient is cut off; ``None``
            passes it everywhere, as BinaryConnect does for weights that
            :class:`~quantized_net.WeightClip` keeps within [-1, 1].

    Returns:
        ~chainer.Variable: Same shape and dtype as ``x``.

    .. seealso:: Courbariaux et al., arXiv:1602.02830, eq. 1 and 4.

    .. rubric:: Example

    >>> quantized_net.functions.sign(np.array([-.3, -0., 2.], 'f')).array
    array([-1.,  1.,  1.], dtype=float32)

    """
    return _Sign(clip_value).apply((x,))[0]


def stochastic_sign(x, clip_value=1.0, draws=None):
    """Binarizes to +1 with the probability of the hard sigmoid, else to -1.

    .. math::

        P(y = +1) = \\sigma(x) = \\text{clip}((x + 1) / 2, 0, 1)

    The gradient is that of :func:`sign`; NaN stays NaN.

    Args:
        x (:class:`~chainer.Variable` or :ref:`ndarray`): Floats, any shape.
        clip_value (float or None): As in :func:`sign`.
        draws (:ref:`ndarray`): From [0, 1), of the shape of ``x``; y is +1
            where ``2 * draws - 1 < x``.  If ``None``, they come from NumPy's
            or CuPy's global random state.

    Returns:
        ~chainer.Variable: Same shape and dtype as ``x``.

    .. seealso:: Courbariaux et al., arXiv:1602.02830, eq. 2 and 3.

    """
    return _StochasticSign(clip_value, draws).apply((x,))[0]
