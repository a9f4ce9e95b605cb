"""Quantized neural networks, as the repository peisuke/qnn has them."""

from quantized_net import convert
from quantized_net import quantizers
from quantized_net.methods import method


class QNN(method.Method):

    """Weights, activations and backward operands are powers of two.

    They have no lower limit, so these are no n-bit numbers.  The first layer
    sees its input as it comes.  That code scales weights by 64 and
    activations by 1/64; the scales cancel, through BatchNormalization in the
    first layer, and are left out here.  All parameters are clipped.

    .. seealso:: Hubara et al., arXiv:1609.07061; peisuke/qnn

    """

    name = 'qnn'
    title = 'weights, activations and gradients powers of two'
    source = 'arXiv:1609.07061, as peisuke/qnn'
    networks = ('mlp',)
    clip = 'all'

    def weight_quantizer(self, args):
        return quantizers.LogQuant(clip_value=None)

    def rule(self, args, model):
        first = method.first_layer(model)
        return lambda path, link: convert.Quantizers(
            self.weight_quantizer(args),
            None if path == first else quantizers.LogQuant(),
            quantizers.LogQuant(clip_value=None))
