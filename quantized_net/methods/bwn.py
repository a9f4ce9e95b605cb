"""Binary-Weight-Networks."""

from quantized_net import quantizers
from quantized_net.methods import method


class BWN(method.Method):

    """Weights are the signs times the mean magnitude of their filter.

    Choose it for one bit a weight from a float network: the scales keep the
    sizes of the layers, so it starts nearer to the float function than
    weights of -1 and +1 do.  The paper leaves the first and the last layer
    float: name them in ``--skip``.

    .. seealso:: Rastegari et al., arXiv:1603.05279

    """

    name = 'bwn'
    title = 'weights -a and a, the mean magnitude of the filter'
    source = 'arXiv:1603.05279'
    mixes = True
    starts_from_float = True

    def add_options(self, group):
        group.add_argument(
            '--scale-gradient', choices=('paper', 'straight'),
            default='paper',
            help='of the latent weights: (1 / n + a [|W| <= 1]) times that '
            'of the binary ones, or the same (default: %(default)s)')

    def weight_quantizer(self, args):
        return quantizers.BWN(args.scale_gradient)
