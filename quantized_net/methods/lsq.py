"""Learned step size quantization."""

from quantized_net import convert
from quantized_net import optimizer_hooks
from quantized_net import quantizers
from quantized_net.methods import n_bit
from quantized_net.training import options


class LSQ(n_bit.NBit):

    """Weights and activations of n bits, whose steps are trained.

    Choose it for 2 to 8 bits from a trained float network: the steps start
    from its weights and follow the loss.  It is made for momentum SGD.  The
    input of the first layer is quantized with a sign, the others without, so
    a ReLU has to be before each.

    .. seealso:: Esser et al., arXiv:1902.08153

    """

    name = 'lsq'
    title = 'weights and activations of n bits, steps that are trained'
    source = 'arXiv:1902.08153'
    starts_from_float = True
    ends = '8'

    def add_options(self, group):
        self.add_bits(group, 4, 4)
        group.add_argument(
            '--step-lr', type=options.non_negative_float, default=1.,
            metavar='FACTOR',
            help='learning rate of the steps, as a factor to that of all '
            'else (default: %(default)g)')

    def weight_quantizer(self, args):
        return None if args.weight_bits == n_bit.FLOAT else (
            quantizers.LSQ(args.weight_bits))

    def quantizers_of(self, args, weight_bits, activation_bits, is_first):
        activation = None
        if activation_bits != n_bit.FLOAT:
            activation = quantizers.LSQActivation(
                max(activation_bits, 2) if is_first else activation_bits,
                signed=is_first)
        return convert.Quantizers(
            None if weight_bits == n_bit.FLOAT
            else quantizers.LSQ(weight_bits), activation)

    def set_up(self, optimizer, args):
        super(LSQ, self).set_up(optimizer, args)
        if args.step_lr != 1:
            optimizer_hooks.scale_steps(optimizer, args.step_lr)
