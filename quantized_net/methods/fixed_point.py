"""Deep learning with limited numerical precision."""

import chainer

from quantized_net import convert
from quantized_net import errors
from quantized_net import optimizer_hooks
from quantized_net import quantizers
from quantized_net.methods import method


class _Loss(object):

    """A loss of quantized logits."""

    def __init__(self, loss, quantizer):
        self.loss = loss
        self.quantizer = quantizer

    def __call__(self, y, t):
        if chainer.config.train:
            self.quantizer.draw(y.array)
        return self.loss(self.quantizer(y), t)


class FixedPoint(method.Method):

    """All that training computes with is a fixed point number <IL, FL>.

    When to choose it: to learn whether a device with nothing but words of
    few bits could train a network.  The network is as accurate as a float one
    where rounding is stochastic; the file is not small.

    Rounded are the weights and biases, their gradients and updates, the
    input of every layer and the logits, and the errors that every layer hands
    down and gets.  Products are summed up exactly (in float32) and converted
    once.  An error is that of one example; the mean over the batch is part
    of the sum of a weight's gradient.  Layers that are skipped, and
    BatchNormalization, stay float.

    .. seealso:: Gupta et al., arXiv:1502.02551

    """

    name = 'fixed_point'
    title = 'all of training in fixed point'
    source = 'arXiv:1502.02551'

    def add_options(self, group):
        group.add_argument(
            '--word-length', type=int, default=16, metavar='BITS',
            help='IL + FL, of all numbers (default: %(default)s)')
        group.add_argument(
            '--fl', type=int, default=14, metavar='BITS',
            help='FL, behind the point, of weights, biases, gradients, '
            'updates and errors (default: %(default)s)')
        group.add_argument(
            '--output-fl', type=int, metavar='BITS',
            help="FL of the layers' inputs and of the logits (default: "
            '--fl)')
        group.add_argument(
            '--rounding', choices=quantizers.ROUNDINGS,
            default='stochastic', help='default: %(default)s')

    def check(self, args):
        super(FixedPoint, self).check(args)
        try:
            self._of_outputs(args)
        except ValueError as e:
            raise errors.UserError(
                '--method %s, --output-fl: %s' % (self.name, e))

    def weight_quantizer(self, args):
        # parameters are on the grid: nothing is left to draw
        return quantizers.FixedPoint(
            args.word_length - args.fl, args.fl, 'nearest')

    def rule(self, args, model):
        return lambda path, link: convert.Quantizers(
            self.weight_quantizer(args), self._of_outputs(args))

    def loss_function(self, args):
        return _Loss(self.loss, self._of_outputs(args))

    def set_up(self, optimizer, args):
        super(FixedPoint, self).set_up(optimizer, args)
        optimizer_hooks.fixed_point_steps(
            optimizer, args.word_length - args.fl, args.fl,
            args.rounding == 'stochastic')

    @staticmethod
    def _of_outputs(args):
        fl = args.fl if args.output_fl is None else args.output_fl
        return quantizers.FixedPoint(
            args.word_length - fl, fl, args.rounding,
            error=(args.word_length - args.fl, args.fl))
