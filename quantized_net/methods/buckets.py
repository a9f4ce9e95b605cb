"""Quantized distillation: uniform points, scaled bucket by bucket."""

from quantized_net import errors
from quantized_net import quantizers
from quantized_net.methods import method


class Buckets(method.Method):

    """Weights are uniform points of the range of their bucket.

    When to choose it: a small network is to have 4 or 8 bits and there is a
    large one to learn from: with ``--teacher`` this is the paper's quantized
    distillation.  Every bucket of 256 weights keeps a range of its own, so
    weights of any distribution do, without a start from a float network.

    The gradient at the quantized weights moves the latent ones.  Biases and
    BatchNormalization stay float (the paper's code quantizes them, too,
    unless told not to).

    .. seealso:: Polino et al., arXiv:1802.05668, section 3

    """

    name = 'buckets'
    title = 'weights uniform points in buckets, for distillation'
    source = 'arXiv:1802.05668'
    mixes = True

    def add_options(self, group):
        add_bits_and_bucket(group)
        group.add_argument(
            '--rounding', choices=('nearest', 'stochastic'),
            default='nearest', help='default: %(default)s')

    def check(self, args):
        super(Buckets, self).check(args)
        refuse_annealing(self, args)

    def weight_quantizer(self, args):
        return quantizers.Buckets(args.bits, args.bucket, args.rounding)


def add_bits_and_bucket(group):
    """Adds what the methods of this paper have."""
    group.add_argument(
        '--bits', type=int, default=4,
        help='of a weight (default: %(default)s)')
    group.add_argument(
        '--bucket', type=int, default=256, metavar='N',
        help='weights that share a range (default: %(default)s)')


def refuse_annealing(a_method, args):
    """Levels of a bucket are no levels of a layer."""
    if getattr(args, 'anneal', 0):
        raise errors.UserError(
            '--anneal can not be had with --method %s, whose levels differ '
            'from bucket to bucket' % a_method.name)
