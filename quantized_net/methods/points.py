"""Differentiable quantization: trained points."""

from quantized_net import extensions
from quantized_net import quantizers
from quantized_net.methods import buckets
from quantized_net.methods import method


class Points(method.Method):

    """The points that weights are rounded to are trained, and nothing else.

    When to choose it: a trained float network is to be quantized and its
    weights are not to be trained again; a few epochs do.  Weights, biases and
    BatchNormalization's parameters stay as they were loaded.

    .. seealso:: Polino et al., arXiv:1802.05668, section 4

    """

    name = 'points'
    title = 'weights the nearest of trained points'
    source = 'arXiv:1802.05668'
    starts_from_float = True

    def add_options(self, group):
        buckets.add_bits_and_bucket(group)
        group.add_argument(
            '--allocate', action='store_true',
            help='half of the points go to the layers by the norms of their '
            'gradients')

    def check(self, args):
        super(Points, self).check(args)
        buckets.refuse_annealing(self, args)

    def weight_quantizer(self, args):
        return quantizers.Points(
            args.bits, args.bucket, 256 if args.allocate else None)

    def set_up(self, optimizer, args):
        super(Points, self).set_up(optimizer, args)
        points = {
            id(param) for link in optimizer.target.links()
            if isinstance(link, quantizers.Points)
            for param in link.params()}
        for param in optimizer.target.params():
            if id(param) not in points:
                param.update_rule.enabled = False

    def extensions(self, model, title, args):
        return [extensions.AllocatePoints(model)] if args.allocate else []
