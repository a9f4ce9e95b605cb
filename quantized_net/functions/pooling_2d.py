"""Chainer's pooling of images on our kernels."""

import numpy

from chainer import function_node
from chainer import functions as F
from chainer.functions.pooling import average_pooling_2d as chainer_average
from chainer.functions.pooling import max_pooling_nd
from chainer.utils import conv

from quantized_net.kernels import pooling


def _out_size(x, kernel, stride, pad, cover_all):
    sizes = [conv.get_conv_outsize(*args, cover_all=cover_all)
             for args in zip(x.shape[2:], kernel, stride, pad)]
    return sizes if min(sizes) > 0 else None


def _check_out_size(x, kernel, stride, pad, cover_all):
    """As Chainer on the CPU; on a GPU it would give an empty image."""
    assert _out_size(x, kernel, stride, pad, cover_all) is not None, (
        'Height and width in the output should be positive.')


class _MaxPooling2D(max_pooling_nd.MaxPoolingND):

    places = None

    def forward_cpu(self, inputs):
        x, = inputs
        window = self.ksize, self.stride, self.pad
        out_size = _out_size(x, *window, cover_all=self.cover_all)
        if out_size is None or not pooling.is_compiled(x, self.ksize):
            return super(_MaxPooling2D, self).forward_cpu(inputs)
        self._in_shape = x.shape
        self._in_dtype = x.dtype
        y, self.places = pooling.max_pooling(x, *window, out_size=out_size)
        return y,

    def forward_gpu(self, inputs):
        _check_out_size(
            inputs[0], self.ksize, self.stride, self.pad, self.cover_all)
        return super(_MaxPooling2D, self).forward_gpu(inputs)

    @property
    def indexes(self):
        """The places as Chainer holds them."""
        if self.places is None:
            return self._indexes
        return numpy.ascontiguousarray(self.places, int)

    @indexes.setter
    def indexes(self, indexes):
        self._indexes = indexes

    def backward(self, indexes, grad_outputs):
        if self.places is None:
            return super(_MaxPooling2D, self).backward(indexes, grad_outputs)
        return _MaxPooling2DGradient(self).apply(grad_outputs)


class _MaxPooling2DGradient(max_pooling_nd.MaxPoolingNDGrad):

    def forward_cpu(self, inputs):
        func = self.func
        return pooling.max_pooling_gradient(
            inputs[0], func.places, func.ksize, func.stride, func.pad,
            func._in_shape[2:]),


def max_pooling_2d(x, ksize, stride=None, pad=0, cover_all=True,
                   return_indices=False):
    """:func:`chainer.functions.max_pooling_2d`, faster on the CPU.

    The arguments and the results are Chainer's.

    """
    if return_indices or x.ndim != 4:
        return F.max_pooling_2d(
            x, ksize, stride, pad, cover_all, return_indices)
    return _MaxPooling2D(2, ksize, stride, pad, cover_all).apply((x,))[0]


class _AveragePooling2D(chainer_average.AveragePooling2D):

    is_ours = False

    def forward_cpu(self, inputs):
        x, = inputs
        self.window = (self.kh, self.kw), (self.sy, self.sx), (
            self.ph, self.pw)
        out_size = _out_size(x, *self.window, cover_all=False)
        if out_size is None or not pooling.is_compiled(x, self.window[0]):
            return super(_AveragePooling2D, self).forward_cpu(inputs)
        self.is_ours = True
        self.in_size = x.shape[2:]
        return pooling.average_pooling(x, *self.window, out_size=out_size),

    def forward_gpu(self, inputs):
        _check_out_size(inputs[0], (self.kh, self.kw), (self.sy, self.sx),
                        (self.ph, self.pw), cover_all=False)
        return super(_AveragePooling2D, self).forward_gpu(inputs)

    def backward(self, indexes, grad_outputs):
        if not self.is_ours:
            return super(_AveragePooling2D, self).backward(
                indexes, grad_outputs)
        return _AveragePooling2DGradient(
            self.window, self.in_size).apply(grad_outputs)


class _AveragePooling2DGradient(function_node.FunctionNode):

    def __init__(self, window, in_size):
        self.window = window
        self.in_size = in_size

    def forward(self, inputs):
        gy, = inputs
        kernel, stride, pad = self.window
        return pooling.average_pooling_gradient(
            gy, kernel, stride, pad, self.in_size),

    def backward(self, indexes, grad_outputs):
        return average_pooling_2d(grad_outputs[0], *self.window),


def average_pooling_2d(x, ksize, stride=None, pad=0):
    """:func:`chainer.functions.average_pooling_2d`, faster on the CPU.

    The arguments are Chainer's, and so are the results, but for rounding.

    """
    return _AveragePooling2D(ksize, stride, pad, False).apply((x,))[0]
