"""Trained ternary quantization."""

import math

from quantized_net import errors
from quantized_net import extensions
from quantized_net import optimizer_hooks
from quantized_net import quantizers
from quantized_net.methods import method
from quantized_net.training import options


LEAST_SCALE = 1e-4  # with --positive-scales


class TTQ(method.Method):

    """Weights are -Wn, 0 and Wp, the two trained.

    .. seealso:: Zhu et al., arXiv:1612.01064

    """

    name = 'ttq'
    title = 'weights -Wn, 0 and Wp, the two trained'
    source = 'arXiv:1612.01064'
    mixes = True
    starts_from_float = True
    columns = ('zeros',)

    def add_options(self, group):
        zeros = group.add_mutually_exclusive_group()
        zeros.add_argument(
            '--threshold', type=float, default=0.05, metavar='T',
            help='of delta = T max|W| (default: %(default)s)')
        zeros.add_argument(
            '--sparsity', type=float, metavar='SHARE',
            help='constant share of zeros instead of the threshold')
        zeros.add_argument(
            '--sweep', type=float, nargs='+', metavar='SHARE',
            help='train a network for each of these shares of zeros, in '
            'OUT/sparsity-*, and draw OUT/sparsity.png')
        group.add_argument(
            '--scales', choices=('absolute', 'relative'),
            default='absolute',
            help='what is trained from 1: Wp and Wn, or their factors to the '
            'mean magnitudes of the weights at the start '
            '(default: %(default)s)')
        group.add_argument(
            '--scale-lr', type=options.non_negative_float, default=1.,
            metavar='FACTOR',
            help='learning rate of the scales, as a factor to that of all '
            'else (default: %(default)g)')
        group.add_argument(
            '--positive-scales', action='store_true',
            help='keep what is trained of the scales at or above %g: '
            'nothing else does' % LEAST_SCALE)
        group.add_argument(
            '--fixed-scales', action='store_true',
            help='Wp and Wn stay as they are at the start')
        group.add_argument(
            '--gradient-of-Wn', choices=('true', 'paper_eq7'),
            default='true',
            help='the derivative, or the sign that the paper prints '
            '(default: %(default)s)')
        group.add_argument(
            '--reduction', choices=('sum', 'mean'), default='sum',
            help='of the gradients of Wp and Wn (default: %(default)s)')

    def check(self, args):
        for share in args.sweep or ():
            if not 0 <= share < 1:
                raise errors.UserError(
                    '--sweep %g: shares of zeros are in [0, 1)' % share)
        if args.fixed_scales:
            for option, default in (('--gradient-of-Wn', 'true'),
                                    ('--reduction', 'sum'),
                                    ('--positive-scales', False),
                                    ('--scale-lr', 1.)):
                value = getattr(args, option[2:].replace('-', '_'))
                if value != default:
                    raise errors.UserError(
                        '%s says nothing with --fixed-scales: scales that '
                        'stay have no gradient' % (
                            option if value is True
                            else '%s %s' % (option, value)))
        super(TTQ, self).check(args)

    def weight_quantizer(self, args):
        return quantizers.TTQ(
            args.threshold, args.sparsity, not args.fixed_scales,
            gradient_of_Wn=args.gradient_of_Wn, reduction=args.reduction,
            scales=args.scales)

    def set_up(self, optimizer, args):
        super(TTQ, self).set_up(optimizer, args)
        if args.scale_lr != 1:
            optimizer_hooks.scale_steps(optimizer, args.scale_lr)
        if args.positive_scales:
            names = ['s_p', 's_n'] if args.scales == 'relative' else [
                'Wp', 'Wn']
            optimizer.add_hook(
                optimizer_hooks.WeightClip(LEAST_SCALE, math.inf, names),
                'PositiveScales')

    def extensions(self, model, title, args):
        return [extensions.TernaryReport(model),
                extensions.PlotTernary(model, title=title)]
