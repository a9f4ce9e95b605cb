"""Signs with a scale for each filter."""

import numpy

from chainer import backend
from chainer import function_node
from chainer.utils import type_check

from quantized_net.kernels import straight_through as kernels


class _ScaledSign(function_node.FunctionNode):

    def __init__(self, gradient):
        self.gradient = gradient

    def check_type_forward(self, in_types):
        type_check._argname(in_types, ('W',))
        type_check.expect(in_types[0].dtype.kind == 'f')

    def forward(self, inputs):
        W, = inputs
        self.alpha = sign_scales(W)
        self.retain_inputs((0,))
        return kernels.sign(W) * self.alpha,

    def backward(self, indexes, gys):
        if self.gradient == 'straight':
            return gys
        W = self.get_retained_inputs()[0].array
        n = max(W.size // max(len(W), 1), 1)
        xp = backend.get_array_module(W)
        factor = (xp.abs(W) <= 1) * self.alpha + W.dtype.type(1 / n)
        return gys[0] * factor.astype(W.dtype, copy=False),


def sign_scales(W):
    """The mean magnitude of each filter, of shape (O, 1, ...).

    The sums are float32's, or float64's for float64.

    Args:
        W (:ref:`ndarray`): Shape (O, ...).

    """
    wide = numpy.promote_types(W.dtype, numpy.float32)
    xp = backend.get_array_module(W)
    axis = tuple(range(1, W.ndim))
    n = max(W.size // max(len(W), 1), 1)
    total = xp.abs(W).sum(axis=axis, keepdims=True, dtype=wide)
    return (total / wide.type(n)).astype(W.dtype)


def scaled_sign(W, gradient='paper'):
    """Binarizes each filter to its mean magnitude and the negative of it.

    With n weights in a filter:

    .. math::

        \\alpha = \\frac{1}{n} \\sum |W| \\qquad
        y = \\begin{cases} \\alpha & W \\geq 0 \\\\
                          -\\alpha & W < 0 \\end{cases}
        \\qquad
        \\frac{\\partial L}{\\partial W} = \\frac{\\partial L}{\\partial y}
        \\left( \\frac{1}{n} + \\alpha \\, [|W| \\leq 1] \\right)

    which is the best scale for a sign: it minimizes the squared distance.
    The gradient is the paper's; the derivative of the scale would have
    :math:`\\text{sign}(W) / n` times the sum of
    :math:`\\text{sign}(W) \\, \\partial L / \\partial y` over the filter in
    the place of its first term.  ``gradient='straight'`` passes it as it is.

    On the boundary: 0 and -0.0 count as positive; a filter with a NaN
    becomes NaN.

    Args:
        W (~chainer.Variable): Latent weights, shape (O, ...).
        gradient (str): ``'paper'`` or ``'straight'``.

    Returns:
        ~chainer.Variable: Same shape and dtype as ``W``.

    .. seealso:: Rastegari et al., arXiv:1603.05279, section 3.1.

    """
    if gradient not in ('paper', 'straight'):
        raise ValueError(
            "gradient must be 'paper' or 'straight', not %r" % (gradient,))
    return _ScaledSign(gradient).apply((W,))[0]
