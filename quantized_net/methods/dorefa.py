"""DoReFa-Net."""

from quantized_net import convert
from quantized_net import quantizers
from quantized_net.methods import n_bit


class DoReFa(n_bit.NBit):

    """Weights, activations and gradients of n bits, on fixed levels.

    Choose it to train from scratch at any widths, also of the gradients:
    nothing is learned beside the weights.  Weights are squashed by tanh to
    [-1, 1], activations clipped to [0, 1], so each quantized layer wants a
    BatchNormalization behind it.  The first layer sees its input as it
    comes, and the gradients of the first and of the last layer stay float.

    .. seealso:: Zhou et al., arXiv:1606.06160

    """

    name = 'dorefa'
    title = 'weights, activations and gradients of n bits, fixed levels'
    source = 'arXiv:1606.06160'

    def add_options(self, group):
        self.add_bits(group, 1, 2)
        group.add_argument(
            '--gradient-bits', type=int, default=n_bit.FLOAT, metavar='BITS',
            help='likewise, at random (default: %(default)s)')

    def weight_quantizer(self, args):
        return None if args.weight_bits == n_bit.FLOAT else (
            quantizers.DoReFa(args.weight_bits))

    def quantizers_of(self, args, weight_bits, activation_bits, is_first):
        return convert.Quantizers(
            None if weight_bits == n_bit.FLOAT
            else quantizers.DoReFa(weight_bits),
            None if activation_bits == n_bit.FLOAT or is_first
            else quantizers.DoReFaActivation(activation_bits),
            None if args.gradient_bits == n_bit.FLOAT
            else quantizers.DoReFaGradient(args.gradient_bits))
