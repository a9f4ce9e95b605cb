"""Binarized neural networks."""

from quantized_net import convert
from quantized_net import quantizers
from quantized_net.methods import method


class BNN(method.Method):

    """Weights and activations are -1 and +1.

    The first layer sees its input as it comes.  The sign of a layer's input
    is the nonlinearity before it.  The gradient of the weights is passed
    everywhere (``clip_value=None``): WeightClip keeps the latent ones where
    it would pass anyway.

    .. seealso:: Courbariaux et al., arXiv:1602.02830

    """

    name = 'bnn'
    title = 'weights and activations -1 and +1'
    source = 'arXiv:1602.02830'
    networks = ('mlp',)
    relu = False
    clip = 'weights'

    def weight_quantizer(self, args):
        return quantizers.Sign(clip_value=None)

    def rule(self, args, model):
        first = method.first_layer(model)
        return lambda path, link: convert.Quantizers(
            self.weight_quantizer(args),
            None if path == first else quantizers.Sign())
