"""Ternary weight networks."""

from quantized_net import extensions
from quantized_net import quantizers
from quantized_net.methods import method


class TWN(method.Method):

    """Weights are -alpha, 0 and alpha, in closed form.

    .. seealso:: Li et al., arXiv:1605.04711

    """

    name = 'twn'
    title = 'weights -alpha, 0 and alpha in closed form'
    source = 'arXiv:1605.04711'
    mixes = True
    starts_from_float = True
    columns = ('zeros',)

    def add_options(self, group):
        group.add_argument(
            '--threshold', type=float, default=0.7, metavar='T',
            help='of delta = T mean|W| (default: %(default)s)')

    def weight_quantizer(self, args):
        return quantizers.TWN(args.threshold)

    def extensions(self, model, title, args):
        return [extensions.TernaryReport(model),
                extensions.PlotTernary(model, title=title)]
