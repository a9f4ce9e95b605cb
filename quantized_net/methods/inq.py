"""Incremental network quantization."""

from quantized_net import errors
from quantized_net import extensions
from quantized_net import quantizers
from quantized_net.methods import method
from quantized_net.training import options

# Of the paper, by the bits.
_PORTIONS = {
    2: (.2, .4, .6, .7, .8, .85, .9, .95, .975, 1.),
    3: (.2, .4, .6, .7, .8, .9, .95, 1.),
    4: (.3, .5, .8, .9, .95, 1.),
    5: (.5, .75, .875, 1.),
}


class INQ(method.Method):

    """Weights are frozen at powers of two, portion by portion.

    When to choose it: there is a trained float network, and multiplications
    are to become shifts.  The weights alone are quantized; biases and
    BatchNormalization stay float and are trained all the time.

    The epochs are shared out evenly among the portions but the last; each
    begins with freezing, the largest weights first, and its learning rate
    follows the schedule anew.  The last portion, which is all, is frozen at
    the end of the training, or ``--tail`` epochs before: in these
    BatchNormalization gets to know the quantized network.

    .. seealso:: Zhou et al., arXiv:1702.03044, algorithm 1

    """

    name = 'inq'
    title = 'weights powers of two, frozen portion by portion'
    source = 'arXiv:1702.03044'
    mixes = True
    starts_from_float = True
    columns = ('frozen',)

    def add_options(self, group):
        group.add_argument(
            '--bits', type=int, default=5,
            help='of a weight, one of them for the zero '
            '(default: %(default)s)')
        group.add_argument(
            '--portions', type=options.share, nargs='+', metavar='SHARE',
            help='accumulated portions that are frozen one after the other '
            '(default: those of the paper for 2 to 5 bits, at 5 %s)'
            % ' '.join(map(str, _PORTIONS[5])))
        group.add_argument(
            '--tail', type=options.non_negative_float, default=0.,
            metavar='EPOCHS',
            help='the last portion is frozen so many epochs before the end '
            '(default: %(default)g)')

    def check(self, args):
        super(INQ, self).check(args)
        portions = self._portions(args)
        if list(portions) != sorted(set(portions)) or portions[-1] != 1:
            raise errors.UserError(
                '--portions %s: they grow, and the last is 1'
                % ' '.join('%g' % p for p in portions))
        if getattr(args, 'anneal', 0):
            raise errors.UserError(
                '--anneal says nothing with --method inq, which quantizes '
                'portion by portion')
        if args.tail >= getattr(args, 'epoch', float('inf')):
            raise errors.UserError(
                '--tail %g: of %d epochs' % (args.tail, args.epoch))

    def weight_quantizer(self, args):
        return quantizers.INQ(args.bits)

    def restarts(self, args):
        return sorted(set(self._starts(args)) - {args.epoch})

    def extensions(self, model, title, args):
        return [extensions.FreezePortions(
            model, self._portions(args), self._starts(args))]

    def _starts(self, args):
        """The epoch at which each portion is frozen."""
        n = max(len(self._portions(args)) - 1, 1)
        before = args.epoch - args.tail
        starts = [i * before / n for i in range(n)]
        return [*starts, before] if len(self._portions(args)) > 1 else starts

    @staticmethod
    def _portions(args):
        return args.portions or _PORTIONS.get(args.bits, _PORTIONS[5])
