"""The linear function of a binary weight."""

import chainer
from chainer import functions as F
from chainer import utils
from chainer.functions.connection import linear

from quantized_net.functions import plain
from quantized_net.functions import sums
from quantized_net.kernels import codes
from quantized_net.kernels import sign_product

_SIGNS = codes.Grid(1., 1), codes.Grid(1., 1)


class _BinaryLinear(linear.LinearFunction):

    def __init__(self, binary_input):
        super(_BinaryLinear, self).__init__()
        self.binary_input = binary_input

    def forward(self, inputs):
        if not plain.are_plain(*inputs):
            return super(_BinaryLinear, self).forward(inputs)
        self.retain_inputs((0, 1))
        x, W = inputs[:2]
        b = inputs[2] if len(inputs) == 3 else None
        if self.binary_input:
            y = codes.multiply(x, W, b, _SIGNS)
            if y is not None:
                return y,
        y = sign_product.sign_product(x, W.T)
        if b is not None:
            y += b
        return y,

    def backward(self, indexes, grad_outputs):
        x, W = self.get_retained_inputs()
        gy, = grad_outputs
        gradients = []
        if 0 in indexes:
            gx, = _GradientX().apply((W, gy))
            gradients.append(F.cast(gx, x.dtype))
        if 1 in indexes:
            node = _GradientW if self.binary_input else (
                linear.LinearGradWeight)
            gW, = node(W.dtype).apply((x, gy))
            gradients.append(F.cast(gW, W.dtype))
        if 2 in indexes:
            gradients.append(sums.sum_in_float32(gy, axis=0))
        return gradients


class _GradientX(linear.LinearGradData):

    def forward(self, inputs):
        if not plain.are_plain(*inputs):
            return super(_GradientX, self).forward(inputs)
        self.retain_inputs((0, 1))
        W, gy = inputs
        return sign_product.sign_product(gy, W),


class _GradientW(linear.LinearGradWeight):

    def forward(self, inputs):
        if not plain.are_plain(*inputs):
            return super(_GradientW, self).forward(inputs)
        self.retain_inputs((0, 1))
        x, gy = inputs
        return sign_product.sign_product(gy.T, x),


def binary_linear(x, W, b=None, n_batch_axes=1, binary_input=False):
    """:func:`chainer.functions.linear` of a weight of -1 and +1.

    With AVX-512 its products take less than half of the time.  The results
    are Chainer's, but for rounding; exactly so where the input is binary,
    too.  Other values than -1 and +1, NaN among them, are multiplied, as
    Chainer does.

    Args:
        x (:class:`~chainer.Variable` or :ref:`ndarray`): Input, shape
            (N, ...).
        W (:class:`~chainer.Variable` or :ref:`ndarray`): Weight of -1 and
            +1, shape (O, I).
        b (:class:`~chainer.Variable` or :ref:`ndarray` or None): Bias, shape
            (O,).
        n_batch_axes (int): Number of batch axes.
        binary_input (bool): Whether ``x`` holds -1 and +1 only; the output
            and the gradient of ``W`` are faster then.

    Returns:
        ~chainer.Variable: Output, shape (N, O).

    """
    x = chainer.as_variable(x)
    batch_shape = x.shape[:n_batch_axes]
    if x.ndim != 2 or n_batch_axes != 1:
        x = x.reshape(utils.size_of_shape(batch_shape), -1)
    y, = _BinaryLinear(binary_input).apply(
        (x, W) if b is None else (x, W, b))
    return y if n_batch_axes == 1 else y.reshape(batch_shape + (-1,))
