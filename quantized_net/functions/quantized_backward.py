"""Products whose backward pass sees quantized operands.

The QNN repository that this project follows quantizes the gradient that
arrives at a layer, and the layer's input, before it forms the two products
of the backward pass.  With the quantizer q and the (already quantized)
weight W:

    forward     y = x W^T + b
    backward    gx = q(gy) W,   gW = q(gy)^T q(x),   gb = sum of gy

The forward uses x as it comes.  Source: peisuke/qnn,
function_quantized_linear.py; the idea is arXiv:1609.07061, section 5.
"""

import chainer
from chainer.functions.connection import convolution_2d
from chainer.functions.connection import linear

from quantized_net.functions import code_products
from quantized_net.functions import sums


class _Linear(code_products.Linear):

    def __init__(self, quantizer, grids):
        super(_Linear, self).__init__()
        self.quantizer = quantizer
        self.grids = grids

    def backward(self, indexes, gys):
        x, W = self.get_retained_inputs()
        gy, = gys
        gq = self.quantizer(gy)
        ret = []
        if 0 in indexes:
            gx, = linear.LinearGradData().apply((W, gq))
            ret.append(chainer.functions.cast(gx, x.dtype))
        if 1 in indexes:
            gW, = linear.LinearGradWeight(W.dtype).apply(
                (self.quantizer(x), gq))
            ret.append(chainer.functions.cast(gW, W.dtype))
        if 2 in indexes:
            ret.append(sums.sum_in_float32(gy, axis=0))
        return ret


class _Convolution2D(code_products.Convolution2D):

    def __init__(self, quantizer, grids, *args, **kwargs):
        super(_Convolution2D, self).__init__(*args, **kwargs)
        self.quantizer = quantizer
        self.grids = grids

    def backward(self, indexes, gys):
        x, W = self.get_retained_inputs()
        gy, = gys
        gq = self.quantizer(gy)
        ret = []
        if 0 in indexes:
            ret.append(chainer.functions.deconvolution_2d(
                gq, W, stride=(self.sy, self.sx), pad=(self.ph, self.pw),
                outsize=x.shape[2:], dilate=(self.dy, self.dx),
                groups=self.groups))
        if 1 in indexes:
            gW, = convolution_2d.Convolution2DGradW(
                self, W.shape, W.dtype, None).apply((self.quantizer(x), gq))
            ret.append(gW)
        if 2 in indexes:
            ret.append(sums.sum_in_float32(gy, axis=(0, 2, 3)))
        return ret


def linear_with_quantized_backward(x, W, b, quantizer, grids=None):
    """:func:`chainer.functions.linear` with a quantized backward pass.

    Args:
        x (~chainer.Variable): Input, shape (N, I).
        W (~chainer.Variable): Weight, shape (O, I).
        b (~chainer.Variable or None): Bias, shape (O,).
        quantizer: Callable of a variable that returns it quantized.
        grids (tuple or None): As of
            :func:`~quantized_net.functions.code_linear`.

    Returns:
        ~chainer.Variable: Output, shape (N, O).

    """
    args = (x, W) if b is None else (x, W, b)
    return _Linear(quantizer, grids).apply(args)[0]


def convolution_2d_with_quantized_backward(
        x, W, b, quantizer, stride=1, pad=0, dilate=1, groups=1,
        grids=None):
    """:func:`chainer.functions.convolution_2d` with a quantized backward.

    Args:
        x (~chainer.Variable): Input, shape (N, C, H, W).
        W (~chainer.Variable): Weight, shape (O, C / groups, kH, kW).
        b (~chainer.Variable or None): Bias, shape (O,).
        quantizer: Callable of a variable that returns it quantized.
        stride, pad, dilate (int or pair of ints): As in Chainer.
        groups (int): As in Chainer.
        grids (tuple or None): As of
            :func:`~quantized_net.functions.convolution_2d`.

    Returns:
        ~chainer.Variable: Output, shape (N, O, H', W').

    """
    args = (x, W) if b is None else (x, W, b)
    function = _Convolution2D(
        quantizer, grids, stride, pad, dilate=dilate, groups=groups)
    return function.apply(args)[0]
