"""Quantized neural networks, as the repository peisuke/qnn has them."""

from quantized_net import convert
from quantized_net import errors
from quantized_net import quantizers
from quantized_net.methods import method


class QNN(method.Method):

    """Weights, activations and backward operands are powers of two.

    Choose it for the published table of that repository, or for products
    that are shifts.  Unless ``--weight-bits`` and its like say otherwise the
    powers have no lower limit, so they are no n-bit numbers.  The first
    layer sees its input as it comes.  That code scales weights by 64 and
    activations by 1/64; the scales cancel, through BatchNormalization in the
    first layer, and are left out here.  All parameters are clipped.

    .. seealso:: Hubara et al., arXiv:1609.07061; peisuke/qnn

    """

    name = 'qnn'
    title = 'weights, activations and gradients powers of two'
    source = 'arXiv:1609.07061, as peisuke/qnn'
    networks = ('mlp',)
    clip = 'all'

    def add_options(self, group):
        group.add_argument(
            '--spacing', choices=('log', 'linear'), default='log',
            help='levels of weights and activations: powers of two, or '
            'uniform on [-1, 1) (default: %(default)s)')
        for name, what in (('weight', 'weights'),
                           ('activation', 'activations'),
                           ('gradient', 'operands of the backward pass, '
                            'which are powers of two with both spacings')):
            group.add_argument(
                '--%s-bits' % name, type=int, metavar='BITS',
                help='of %s: 2 to 8, linear 2 to 16 (default: no lowest '
                'power, linear 8)' % what)

    def check(self, args):
        try:
            self._quantizer(args, args.activation_bits)
            quantizers.LogQuant(args.gradient_bits)
        except ValueError as e:
            raise errors.UserError('--method %s: %s' % (self.name, e))
        super(QNN, self).check(args)

    def _quantizer(self, args, bits, **options):
        if args.spacing == 'log':
            return quantizers.LogQuant(bits, **options)
        return quantizers.LinearQuant(8 if bits is None else bits, **options)

    def weight_quantizer(self, args):
        return self._quantizer(args, args.weight_bits, clip_value=None)

    def rule(self, args, model):
        first = method.first_layer(model)
        return lambda path, link: convert.Quantizers(
            self.weight_quantizer(args),
            None if path == first
            else self._quantizer(args, args.activation_bits),
            quantizers.LogQuant(args.gradient_bits, clip_value=None))
