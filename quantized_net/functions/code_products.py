"""Chainer's linear function and convolution, exact for small codes.

Their ``grids`` are those of x and W (:func:`quantized_net.functions.
code_grids`), or ``None``, with which they are Chainer's.
"""

import chainer
from chainer.functions.connection import convolution_2d
from chainer.functions.connection import linear
import numpy

from quantized_net.kernels import codes
from quantized_net.kernels import convolution


def geometry(node, kernel):
    """The geometry of a convolution's node."""
    return convolution.Geometry(
        tuple(kernel), (node.sy, node.sx), (node.ph, node.pw),
        (node.dy, node.dx), node.groups)


class Linear(linear.LinearFunction):

    grids = None

    def forward(self, inputs):
        x, W = inputs[:2]
        b = inputs[2] if len(inputs) == 3 else None
        y = None
        if self.grids is not None and x.size and W.size:
            if isinstance(x, numpy.ndarray):
                y = codes.multiply(x, W, b, self.grids)
            else:
                y = codes.reference(
                    x, W, self.grids, lambda x, W: x.dot(W.T))
                if b is not None:
                    y += b
        if y is None:  # the values are others
            return super(Linear, self).forward(inputs)
        self.retain_inputs((0, 1))
        return y,


class Convolution2D(convolution_2d.Convolution2DFunction):

    grids = None

    def _may_be_codes(self, x, W):
        return (self.grids is not None and x.size and W.size
                and len(W) % self.groups == 0 and not self.cudnn_fast
                and not any(self.input_layouts))

    def forward_cpu(self, inputs):
        x, W = inputs[:2]
        if self._may_be_codes(x, W):
            y = codes.convolve(
                x, W, inputs[2] if len(inputs) == 3 else None,
                geometry(self, W.shape[2:]),
                self._get_out_size(x.shape, W.shape), self.grids)
            if y is not None:
                self.retain_inputs((0, 1))
                return y,
        return super(Convolution2D, self).forward_cpu(inputs)

    def forward_gpu(self, inputs):
        x, W = inputs[:2]
        if not self._may_be_codes(x, W):
            return super(Convolution2D, self).forward_gpu(inputs)

        def product(x, W):
            # cuDNN may go Winograd's way
            with chainer.no_backprop_mode(), chainer.using_config(
                    'use_cudnn', 'never'):
                return chainer.functions.convolution_2d(
                    x, W, None, (self.sy, self.sx), (self.ph, self.pw),
                    self.cover_all, dilate=(self.dy, self.dx),
                    groups=self.groups).array

        self.retain_inputs((0, 1))
        y = codes.reference(x, W, self.grids, product)
        if len(inputs) == 3:
            y += inputs[2][:, None, None]
        return y,
