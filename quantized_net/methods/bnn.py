"""Binarized neural networks."""

from quantized_net import convert
from quantized_net import errors
from quantized_net import quantizers
from quantized_net.methods import binary
from quantized_net.methods import method


class BNN(binary.Binary):

    """Weights and activations are -1 and +1.

    Choose it where the products have to become bit operations.  The first
    layer sees its input as it comes.  The sign of a layer's input is the
    nonlinearity before it.  The gradient of the weights is passed everywhere
    (``clip_value=None``): WeightClip keeps the latent ones where it would
    pass anyway.  The paper's recipe is ``--loss square-hinge --glorot-rates
    --latent-init uniform --schedule exponential``; that of its code for
    Torch has ``--stochastic activations --optimizer shift-adamax --lr
    0.015625 --shift-bn``.

    .. seealso:: Courbariaux et al., arXiv:1602.02830

    """

    name = 'bnn'
    title = 'weights and activations -1 and +1'
    source = 'arXiv:1602.02830'
    networks = ('mlp', 'binarynet')
    relu = False
    clip = 'weights'

    def add_options(self, group):
        super(BNN, self).add_options(group)
        group.add_argument(
            '--stochastic', nargs='+', choices=('weights', 'activations'),
            default=[], metavar='WHAT',
            help='what is drawn at random in training: weights, activations '
            '(default: nothing)')

    def check(self, args):
        if getattr(args, 'anneal', 0) and 'weights' in args.stochastic:
            raise errors.UserError(
                '--anneal says nothing with --stochastic weights: random '
                'weights do not become binary little by little')
        super(BNN, self).check(args)

    def weight_quantizer(self, args):
        if 'weights' in args.stochastic:
            return quantizers.StochasticSign(clip_value=None)
        return quantizers.Sign(clip_value=None)

    def rule(self, args, model):
        first = method.first_layer(model)
        activation = quantizers.StochasticSign if (
            'activations' in args.stochastic) else quantizers.Sign
        return lambda path, link: convert.Quantizers(
            self.weight_quantizer(args),
            None if path == first else activation())
