"""A convolution with quantizers."""

import chainer
from chainer import links as L

from quantized_net import functions
from quantized_net.links import quantized_layer


class QuantizedConvolution2D(L.Convolution2D, quantized_layer.QuantizedLayer):

    """:class:`chainer.links.Convolution2D` with quantized weight and input.

    Args:
        in_channels, out_channels, ksize, stride, pad, nobias, initialW,
        initial_bias, dilate, groups: As in
            :class:`chainer.links.Convolution2D`.
        weight_quantizer, input_quantizer, gradient_quantizer: See
            :class:`~quantized_net.links.QuantizedLayer`.

    The zeros of the padding are added after the input was quantized.  Where
    input and weight are small codes, sums are exact
    (:attr:`~quantized_net.links.QuantizedLayer.grids`).  The memory layout is
    the standard one, whatever ``chainer.config.compute_mode`` says:
    quantizers read the arrays.

    """

    def __init__(self, in_channels, out_channels, ksize=None, stride=1,
                 pad=0, nobias=False, initialW=None, initial_bias=None,
                 weight_quantizer=None, input_quantizer=None,
                 gradient_quantizer=None, **kwargs):
        with chainer.using_config('compute_mode', None):
            super(QuantizedConvolution2D, self).__init__(
                in_channels, out_channels, ksize, stride, pad, nobias,
                initialW, initial_bias, **kwargs)
        self._set_quantizers(
            weight_quantizer, input_quantizer, gradient_quantizer)

    def forward(self, x, *, residual=None):
        """Applies the layer.

        Args:
            x (~chainer.Variable): Input, shape (N, C, H, W).
            residual (~chainer.Variable): Added to the output, of its shape.

        Returns:
            ~chainer.Variable: Output, shape (N, out_channels, H', W').

        """
        x = chainer.as_variable(x).as_layout(None)
        if self.W.array is None:
            self._initialize_params(x.shape[1])
        self._prepare_quantizers(x)
        x = self.quantize_input(x)
        if self.gradient_quantizer is None:
            return functions.convolution_2d(
                x, self.quantized_W, self.b, self.stride, self.pad,
                residual=residual, dilate=self.dilate, groups=self.groups,
                grids=self.grids)
        if self.quantizes_operands:
            y = functions.convolution_2d_with_quantized_backward(
                x, self.quantized_W, self.b, self.gradient_quantizer,
                self.stride, self.pad, self.dilate, self.groups, self.grids)
        else:  # the gradient of the residual stays as it is
            y = self.quantize_output_gradient(functions.convolution_2d(
                x, self.quantized_W, self.b, self.stride, self.pad,
                dilate=self.dilate, groups=self.groups, grids=self.grids))
        return y if residual is None else y + residual
