"""What the two methods with weights -1 and +1 share."""

from chainer import functions as F
import numpy

from quantized_net import errors
from quantized_net import functions
from quantized_net import links
from quantized_net import optimizer_hooks
from quantized_net.links import quantized_layer
from quantized_net.methods import method

_LOSSES = {'cross-entropy': F.softmax_cross_entropy,
           'square-hinge': functions.square_hinge}


class Binary(method.Method):

    """Options of the recipes of arXiv:1511.00363 and arXiv:1602.02830."""

    def add_options(self, group):
        group.add_argument(
            '--loss', choices=tuple(_LOSSES), default='cross-entropy',
            help='default: %(default)s; the paper has the square hinge')
        group.add_argument(
            '--glorot-rates', action='store_true',
            help='the steps of the latent weights times '
            'sqrt((inputs + outputs) / 1.5) of their layer, as the code of '
            'the paper; powers of two with --optimizer shift-adamax')
        group.add_argument(
            '--latent-init', choices=('network', 'uniform'),
            default='network',
            help='first latent weights: those of the network, or uniform on '
            '[-1, 1], as the code of the paper (default: %(default)s)')
        group.add_argument(
            '--shift-bn', action='store_true',
            help='shift-based BatchNormalization: its factors are powers of '
            'two (arXiv:1602.02830)')

    def check(self, args):
        if args.latent_init == 'uniform' and (
                getattr(args, 'init', None) is not None):
            raise errors.UserError(
                '--latent-init uniform says nothing with --init')
        super(Binary, self).check(args)

    def loss_function(self, args):
        return _LOSSES[args.loss]

    def quantize(self, model, args=None, skip=()):
        if args is None:
            args = self.default_options()
        report = super(Binary, self).quantize(model, args, skip)
        if args.shift_bn:
            links.to_shift_based(model)
        if args.latent_init == 'uniform':
            for link in model.links():
                if isinstance(link, quantized_layer.QuantizedLayer) and (
                        link.weight_quantizer is not None):
                    link.W.array[...] = numpy.random.uniform(
                        -1, 1, link.W.shape)
        return report

    def set_up(self, optimizer, args):
        super(Binary, self).set_up(optimizer, args)
        if args.glorot_rates:
            optimizer_hooks.glorot_rates(
                optimizer, getattr(args, 'optimizer', '') == 'shift-adamax')
