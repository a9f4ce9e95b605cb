"""Uniform quantization whose step is trained."""

import numpy

import chainer
from chainer import backend
from chainer import function_node
from chainer.utils import type_check

from quantized_net.functions import sums


class _LearnedStep(function_node.FunctionNode):

    def __init__(self, low, high):
        self.low = low
        self.high = high

    def check_type_forward(self, in_types):
        type_check._argname(in_types, ('x', 'step'))
        type_check.expect(
            in_types[0].dtype.kind == 'f',
            in_types[1].dtype == in_types[0].dtype,
            in_types[1].ndim == 0)

    def forward(self, inputs):
        x, step = inputs
        xp = backend.get_array_module(x)
        ratio = xp.asarray(x.astype(_wide(x)) / step.astype(_wide(x)))
        # the sum makes -0.0 a 0
        codes = xp.asarray(xp.rint(ratio.clip(self.low, self.high)) + 0)
        # what the step's gradient multiplies, and where x has one
        self.inside = (ratio > self.low) & (ratio < self.high)
        self.factor = xp.where(self.inside, codes - ratio, codes)
        return learned_step_values(codes, step, x.dtype),

    def backward(self, indexes, gys):
        gy, = gys
        gradients = []
        if 0 in indexes:
            gradients.append(gy * self.inside.astype(gy.dtype))
        if 1 in indexes:
            gradients.append(sums.sum_in_float32(
                gy * self.factor.astype(gy.dtype), None))
        return gradients


class _PositiveStep(function_node.FunctionNode):

    def __init__(self, least, factor):
        self.least = least
        self.factor = factor

    def forward(self, inputs):
        step, = inputs
        xp = backend.get_array_module(step)
        self.is_below = step < step.dtype.type(self.least)
        return xp.asarray(xp.maximum(step, step.dtype.type(self.least))),

    def backward(self, indexes, gys):
        gy, = gys
        passes = ~self.is_below | (gy.array < 0)
        return gy * (passes * gy.dtype.type(self.factor)).astype(gy.dtype),


def _wide(x):
    return numpy.promote_types(x.dtype, numpy.float32)


def learned_step_values(codes, step, dtype):
    """codes times step, rounded once to a dtype.

    Args:
        codes (:ref:`ndarray`): Whole numbers, floats of 32 or 64 bits.
        step (:ref:`ndarray`): Shape ().
        dtype (numpy.dtype): Of the result.

    """
    xp = backend.get_array_module(codes)
    return xp.asarray(codes * step.astype(codes.dtype)).astype(
        dtype, copy=False)


def learned_step(x, step, low, high):
    """Rounds to multiples of a step within bounds; the step has a gradient.

    .. math::

        k = \\text{round}(\\text{clip}(x / s, \\text{low}, \\text{high}))
        \\qquad y = k s

    .. math::

        \\frac{\\partial y}{\\partial x} = \\begin{cases}
            1 & \\text{low} < x / s < \\text{high} \\\\
            0 & \\text{otherwise} \\end{cases} \\qquad
        \\frac{\\partial y}{\\partial s} = \\begin{cases}
            k - x / s & \\text{low} < x / s < \\text{high} \\\\
            k & \\text{otherwise} \\end{cases}

    Half a step is rounded to the even multiple, an infinity becomes its
    bound, NaN stays NaN.

    Args:
        x (~chainer.Variable): Floats, any shape.
        step (~chainer.Variable): s, above 0, shape (), of the dtype of
            ``x``; see :func:`positive_step`.
        low (int): :math:`-Q_N`.
        high (int): :math:`Q_P`.

    Returns:
        ~chainer.Variable: Same shape and dtype as ``x``.

    .. seealso:: Esser et al., arXiv:1902.08153, eq. 1 to 3 and 5.

    """
    return _LearnedStep(low, high).apply((x, step))[0]


def positive_step(step, least, factor=1.0):
    """The step, not below a bound, with a factor for its gradient.

    .. math::

        y = \\max(s, \\text{least}) \\qquad
        \\frac{\\partial L}{\\partial s} = \\begin{cases} \\text{factor}
            \\frac{\\partial L}{\\partial y} & s \\geq \\text{least}
            \\text{ or } \\frac{\\partial L}{\\partial y} < 0 \\\\
            0 & \\text{otherwise} \\end{cases}

    So a step below the bound can come back, and goes no further.  NaN stays
    NaN.

    Args:
        step (~chainer.Variable): s, any shape.
        least (float): Above 0.
        factor (float): The gradient scale of LSQ.

    Returns:
        ~chainer.Variable: Same shape and dtype as ``step``.

    .. seealso:: Esser et al., arXiv:1902.08153, section 2.2, for the factor;
        the bound is this library's.

    """
    if not least > 0:
        raise ValueError('least must be above 0, not %r' % (least,))
    return _PositiveStep(least, factor).apply((chainer.as_variable(step),))[0]
