"""A linear layer with quantizers."""

import chainer
from chainer import functions as F
from chainer import links as L
from chainer import utils

from quantized_net import functions
from quantized_net.links import quantized_layer


class QuantizedLinear(L.Linear, quantized_layer.QuantizedLayer):

    """:class:`chainer.links.Linear` with quantized weight and input.

    Args:
        in_size, out_size, nobias, initialW, initial_bias: As in
            :class:`chainer.links.Linear`.
        weight_quantizer, input_quantizer, gradient_quantizer: See
            :class:`~quantized_net.links.QuantizedLayer`.

    .. rubric:: Example

    >>> layer = QuantizedLinear(
    ...     4, 2, weight_quantizer=quantized_net.quantizers.Sign())
    >>> layer(np.ones((3, 4), 'f')).shape
    (3, 2)

    """

    def __init__(self, in_size, out_size=None, nobias=False, initialW=None,
                 initial_bias=None, weight_quantizer=None,
                 input_quantizer=None, gradient_quantizer=None):
        super(QuantizedLinear, self).__init__(
            in_size, out_size, nobias, initialW, initial_bias)
        self._set_quantizers(
            weight_quantizer, input_quantizer, gradient_quantizer)

    def forward(self, x, n_batch_axes=1):
        """Applies the layer.

        Args:
            x (~chainer.Variable): Input, shape (N, ...).
            n_batch_axes (int): Number of batch axes.

        Returns:
            ~chainer.Variable: Output, shape (N, out_size).

        """
        x = chainer.as_variable(x)
        if self.W.array is None:
            self._initialize_params(
                utils.size_of_shape(x.shape[n_batch_axes:]))
        self._prepare_quantizers(x)
        x = self.quantize_input(x)
        grids = self.grids
        if not self.quantizes_operands:
            if self.weight_kind == 'binary':
                y = functions.binary_linear(
                    x, self.quantized_W, self.b, n_batch_axes,
                    self.input_kind == 'binary')
            elif grids is not None:
                y = functions.code_linear(
                    x, self.quantized_W, self.b, n_batch_axes, grids=grids)
            else:
                y = F.linear(x, self.quantized_W, self.b, n_batch_axes)
            return self.quantize_output_gradient(y)
        batch_shape = x.shape[:n_batch_axes]
        x = x.reshape(utils.size_of_shape(batch_shape), -1)
        y = functions.linear_with_quantized_backward(
            x, self.quantized_W, self.b, self.gradient_quantizer, grids)
        return y.reshape(batch_shape + (-1,))
