"""Chainer's convolution on our kernels."""

import chainer
from chainer import links as L

from quantized_net import functions


class Convolution2D(L.Convolution2D):

    """:class:`chainer.links.Convolution2D`, faster on the CPU.

    The arguments of the constructor are Chainer's.

    """

    def forward(self, x, *, residual=None):
        """Applies the layer.

        Args:
            x (~chainer.Variable): Input, shape (N, C, H, W).
            residual (~chainer.Variable): Added to the output, of its shape.

        Returns:
            ~chainer.Variable: Output, shape (N, out_channels, H', W').

        """
        x = chainer.as_variable(x)
        assert x.layout == self.x_layout  # as Chainer
        if self.W.raw_array is None:
            self._initialize_params(x.shape[1])
        return functions.convolution_2d(
            x, self.W, self.b, self.stride, self.pad, residual=residual,
            dilate=self.dilate, groups=self.groups,
            cudnn_fast=self.cudnn_fast)
