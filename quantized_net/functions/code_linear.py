"""The linear function of an input and a weight that are small codes."""

import chainer
from chainer import utils

from quantized_net.functions import code_products


def code_linear(x, W, b=None, n_batch_axes=1, *, grids):
    """:func:`chainer.functions.linear` of small codes, with exact sums.

    The gradients are Chainer's.

    Args:
        x (:class:`~chainer.Variable` or :ref:`ndarray`): Input, shape
            (N, ...).
        W (:class:`~chainer.Variable` or :ref:`ndarray`): Weight, shape
            (O, I).
        b (:class:`~chainer.Variable` or :ref:`ndarray` or None): Bias, shape
            (O,).
        n_batch_axes (int): Number of batch axes.
        grids (tuple): As of :func:`convolution_2d`.

    Returns:
        ~chainer.Variable: Output, shape (N, O).

    """
    x = chainer.as_variable(x)
    batch_shape = x.shape[:n_batch_axes]
    if x.ndim != 2 or n_batch_axes != 1:
        x = x.reshape(utils.size_of_shape(batch_shape), -1)
    node = code_products.Linear()
    node.grids = grids
    y, = node.apply((x, W) if b is None else (x, W, b))
    return y if n_batch_axes == 1 else y.reshape(batch_shape + (-1,))
