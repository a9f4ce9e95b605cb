"""An identity whose backward pass quantizes."""

import numpy

import chainer
from chainer import backend
from chainer import function_node
from chainer.utils import type_check

from quantized_net.functions.dorefa import check_bits


class _QuantizeGradient(function_node.FunctionNode):

    def __init__(self, bits):
        self.bits = bits

    def check_type_forward(self, in_types):
        type_check._argname(in_types, ('x',))
        type_check.expect(in_types[0].dtype.kind == 'f')

    def forward(self, inputs):
        return inputs

    def backward(self, indexes, gys):
        gy, = gys
        xp = backend.get_array_module(gy.array)
        noise = xp.random.random_sample(gy.shape)
        return chainer.Variable(
            quantized_gradient(gy.array, self.bits, noise)),


def quantized_gradient(g, bits, draws):
    """What :func:`quantize_gradient` makes of a gradient.

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


def quantize_gradient(x, bits):
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
    return _QuantizeGradient(bits).apply((chainer.as_variable(x),))[0]
