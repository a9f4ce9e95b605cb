"""DoReFa-Net: n-bit weights and activations."""

import numpy

import chainer
from chainer import backend
from chainer import function_node
from chainer import functions as F
from chainer.utils import type_check

from quantized_net.functions import sums
from quantized_net.functions.quantize_gradient import quantize_gradient
from quantized_net.kernels import straight_through
from quantized_net.kernels import ternary


class _Weight(function_node.FunctionNode):

    def __init__(self, bits):
        self.bits = bits

    def check_type_forward(self, in_types):
        type_check._argname(in_types, ('W',))
        type_check.expect(in_types[0].dtype.kind == 'f')

    def forward(self, inputs):
        W, = inputs
        if self.bits == 1:
            return straight_through.sign(W) * dorefa_scale(W),
        self.t, self.largest = _squashed(W)
        return dorefa_values(
            _codes(self.t, self.largest, self.bits), self.bits, W.dtype),

    def backward(self, indexes, gys):
        if self.bits == 1:
            return gys
        gy, = gys
        t, largest = self.t, self.largest
        xp = backend.get_array_module(t)
        is_largest = xp.abs(t) == largest
        through_tanh = 1 - t * t
        # the largest one's part; it is divided among equals
        through_max = through_tanh * xp.where(is_largest, xp.sign(t), 0) / (
            largest * largest * xp.maximum(is_largest.sum(), 1))
        total = sums.sum_in_float32(gy * t.astype(gy.dtype), None)
        gW = gy * (through_tanh / largest).astype(gy.dtype)
        gW -= F.broadcast_to(total, gy.shape) * through_max.astype(gy.dtype)
        return gW,


class _Activation(function_node.FunctionNode):

    def __init__(self, bits):
        self.n = 2 ** bits - 1

    def check_type_forward(self, in_types):
        type_check._argname(in_types, ('x',))
        type_check.expect(in_types[0].dtype.kind == 'f')

    def forward(self, inputs):
        x, = inputs
        self.retain_inputs((0,))
        y = x.clip(0, 1).astype(_wide(x), copy=False) * self.n
        return (backend.get_array_module(x).rint(y) / self.n).astype(
            x.dtype, copy=False),

    def backward(self, indexes, gys):
        x = self.get_retained_inputs()[0].array
        return gys[0] * ((x >= 0) & (x <= 1)).astype(x.dtype),


def _wide(x):
    return numpy.promote_types(x.dtype, numpy.float32)


def _squashed(W):
    """tanh W and its largest magnitude (1 where all are 0)."""
    xp = backend.get_array_module(W)
    t = xp.tanh(W.astype(_wide(W), copy=False))
    largest = ternary.largest_magnitude(t)
    return t, xp.where(largest == 0, 1, largest).astype(t.dtype)


def _codes(t, largest, bits):
    xp = backend.get_array_module(t)
    n = 2 ** bits - 1
    return xp.rint((t / (2 * largest) + .5) * n)


def dorefa_codes(W, bits):
    """Codes of :func:`dorefa_weight`: whole numbers as floats, NaN of NaN.

    Args:
        W (:ref:`ndarray`): Latent weights, any shape.
        bits (int): From 1.

    Returns:
        :ref:`ndarray`: From 0 to ``2 ** bits - 1``, of the shape of ``W``.

    """
    if bits == 1:
        return (W >= 0).astype(_wide(W))
    t, largest = _squashed(W)
    return _codes(t, largest, bits)


def dorefa_values(codes, bits, dtype):
    """The values of codes of 2 bits and more: (2 code - n) / n.

    Args:
        codes (:ref:`ndarray`): From 0 to n = ``2 ** bits - 1``, floats.
        bits (int): From 2.
        dtype (numpy.dtype): Of the result.

    """
    n = 2 ** bits - 1
    return ((2 * codes - n) / n).astype(dtype)


def dorefa_scale(W):
    """The scale of one-bit weights: the mean of \\|W\\|, of shape ()."""
    xp = backend.get_array_module(W)
    total = xp.abs(W).sum(dtype=_wide(W))
    return (total / max(W.size, 1)).astype(W.dtype)


def dorefa_weight(W, bits):
    """Quantizes weights as DoReFa-Net does.

    With :math:`n = 2^k - 1` and :math:`q_k(x) = \\text{round}(n x) / n`:

    .. math::

        y = \\begin{cases}
            \\text{sign}(W) \\cdot \\text{mean} |W| & k = 1 \\\\
            2 \\, q_k\\left(\\frac{\\tanh W}{2 \\max |\\tanh W|}
                + \\frac 1 2 \\right) - 1 & k > 1 \\end{cases}

    The gradient passes :math:`q_k` straight through and is the derivative of
    all else, the maximum too; for one bit it passes to W as it is, and the
    mean counts as a constant.

    On the boundary: half a step is rounded to the even code; 0 counts as
    positive at one bit; of weights that are all 0 the maximum counts as 1.
    A NaN makes all of them NaN (k > 1: in the maximum, k = 1: in the mean).

    Args:
        W (~chainer.Variable): Latent weights, any shape.
        bits (int): k, from 1 to 16.

    Returns:
        ~chainer.Variable: Same shape and dtype as ``W``.

    .. seealso:: Zhou et al., arXiv:1606.06160, eq. 8 and 9; the gradient of
        the maximum as in the authors' code.

    """
    check_bits(bits)
    return _Weight(bits).apply((W,))[0]


def dorefa_activation(x, bits):
    """Clips to [0, 1] and rounds to ``2 ** bits`` levels, ends included.

    .. math::

        y = \\frac{\\text{round}(n \\cdot \\text{clip}(x, 0, 1))}{n} \\qquad
        n = 2^{bits} - 1 \\qquad
        \\frac{\\partial L}{\\partial x} = \\begin{cases}
            \\frac{\\partial L}{\\partial y} & 0 \\leq x \\leq 1 \\\\
            0 & \\text{otherwise} \\end{cases}

    Half a step is rounded to the even level; NaN stays NaN, and its gradient
    is 0.

    Args:
        x (~chainer.Variable): Floats, any shape.
        bits (int): From 1 to 16.

    Returns:
        ~chainer.Variable: Same shape and dtype as ``x``.

    .. seealso:: Zhou et al., arXiv:1606.06160, eq. 5 and 11.

    """
    check_bits(bits)
    return _Activation(bits).apply((chainer.as_variable(x),))[0]


def dorefa_gradient_values(g, bits, draws):
    """What :func:`dorefa_gradient` makes of a gradient.

    Args:
        g (:ref:`ndarray`): Shape (N, ...).
        bits (int): From 1 to 16.
        draws (:ref:`ndarray`): From [0, 1), of the shape of ``g``.

    Returns:
        :ref:`ndarray`: Same shape and dtype as ``g``.

    """
    xp = backend.get_array_module(g)
    wide = numpy.promote_types(g.dtype, numpy.float32)
    n = 2 ** bits - 1
    y = g.astype(wide)
    if not g.size:
        return y.astype(g.dtype, copy=False)
    largest = xp.abs(y).max(axis=tuple(range(1, y.ndim)), keepdims=True)
    y /= 2 * xp.where(largest == 0, 1, largest).astype(wide)
    y += wide.type(.5)
    y += ((draws - .5) / n).astype(wide)
    y = xp.rint(y.clip(0, 1) * n) / n
    y -= wide.type(.5)
    y *= 2 * largest
    return y.astype(g.dtype, copy=False)


def dorefa_gradient(x, bits):
    """Passes x on as it is, and quantizes its gradient at random.

    With :math:`n = 2^{bits} - 1`, :math:`q(v) = \\text{round}(n v) / n`, the
    largest magnitude m of an example's gradient g, and N uniform on
    :math:`[-\\frac{1}{2 n}, \\frac{1}{2 n})`, drawn for each of its entries:

    .. math::

        \\frac{\\partial L}{\\partial x} = 2 m \\left[ q\\left( \\text{clip}
            \\left( \\frac{g}{2 m} + \\frac 1 2 + N, 0, 1 \\right) \\right)
            - \\frac 1 2 \\right]

    Its expectation is g, but for the largest entries, whose noise is clipped
    on one side.  An example without a gradient stays so; one with a NaN
    becomes NaN.  The noise comes from NumPy's or CuPy's global random state.
    It has no second derivative.

    Args:
        x (~chainer.Variable): Shape (N, ...): the output of a layer.
        bits (int): From 1 to 16.

    Returns:
        ~chainer.Variable: x.

    .. seealso:: Zhou et al., arXiv:1606.06160, eq. 12.

    """
    check_bits(bits)

    def quantize(gy):
        xp = backend.get_array_module(gy.array)
        return chainer.Variable(dorefa_gradient_values(
            gy.array, bits, xp.random.random_sample(gy.shape)))

    return quantize_gradient(chainer.as_variable(x), quantize)


def check_bits(bits):
    """Refuses numbers of bits that are none."""
    if bits not in range(1, 17):
        raise ValueError('bits must be from 1 to 16, not %r' % (bits,))
