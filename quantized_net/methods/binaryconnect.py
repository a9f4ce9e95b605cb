"""BinaryConnect."""

from quantized_net import errors
from quantized_net import quantizers
from quantized_net.methods import binary


class BinaryConnect(binary.Binary):

    """Weights are -1 and +1, activations float.

    Choose it where activations may stay float: a weight takes a bit, and
    products become additions.  With ``--stochastic`` the weights are drawn
    at random in training; in test mode they are the signs, where the paper
    takes the latent weights for this variant, which would be a float
    network.

    .. seealso:: Courbariaux et al., arXiv:1511.00363

    """

    name = 'binaryconnect'
    title = 'weights -1 and +1'
    source = 'arXiv:1511.00363'
    clip = 'weights'

    def add_options(self, group):
        super(BinaryConnect, self).add_options(group)
        group.add_argument(
            '--stochastic', action='store_true',
            help='weights are drawn at random in training')

    def check(self, args):
        if args.stochastic and getattr(args, 'anneal', 0):
            raise errors.UserError(
                '--anneal says nothing with --stochastic: random weights do '
                'not become binary little by little')
        super(BinaryConnect, self).check(args)

    def weight_quantizer(self, args):
        if args.stochastic:
            return quantizers.StochasticSign(clip_value=None)
        return quantizers.Sign(clip_value=None)
