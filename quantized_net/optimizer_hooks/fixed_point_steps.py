"""Gradients, updates and parameters in fixed point."""

from chainer.optimizers import momentum_sgd

from quantized_net import errors
from quantized_net import functions
from quantized_net import traversal


class _FixedPoint(object):

    """The hooks of one update rule."""

    def __init__(self, il, fl, stochastic):
        self._format = il, fl
        self._stochastic = stochastic
        self._before = None

    def round(self, x):
        x[...] = functions.to_fixed_point(
            x, *self._format,
            functions.new_key() if self._stochastic else None)

    def before(self, rule, param):
        if param.grad is not None:
            self.round(param.grad)
        self._before = param.array.copy()

    def after(self, rule, param):
        before, self._before = self._before, None
        if param.grad is None:
            return
        if isinstance(rule, momentum_sgd.MomentumSGDRule) and not getattr(
                rule, 'nesterov', False):
            step = rule.state['v']  # is kept rounded
        else:
            step = param.array - before
        self.round(step)
        param.array[...] = before + step
        # two numbers of the format: nothing to round, but to saturate
        param.array[...] = functions.to_fixed_point(
            param.array, *self._format)


def fixed_point_steps(optimizer, il, fl, stochastic=True):
    """Keeps the layers' parameters fixed point numbers, and how they move.

    Weights and biases of the quantized layers are rounded once, here.  Then
    in each update the gradient is rounded, what the optimizer's rule makes of
    it is rounded, and the sum saturates:

    .. math::

        g \\leftarrow Q(g) \\qquad \\Delta \\leftarrow Q(\\Delta(g)) \\qquad
        x \\leftarrow \\text{clip}(x + \\Delta)

    With momentum SGD the velocity is :math:`\\Delta`: it is kept rounded,
    weight decay is in it.  Of other rules :math:`\\Delta` is the difference
    that they make.

    Args:
        optimizer (~chainer.Optimizer): With a model.
        il, fl (int): Bits before the point and behind
            (:func:`quantized_net.functions.fixed_point`).
        stochastic (bool): Whether it rounds at random, or to the nearest.

    Raises:
        ~quantized_net.UserError: For an optimizer without a model, or a
            model without a quantized layer.

    .. seealso:: Gupta et al., arXiv:1502.02551

    """
    model = optimizer.target
    if model is None:
        raise errors.UserError(
            'the optimizer has no model yet: call optimizer.setup(model) '
            'first')
    layers = traversal.quantized_layers(model)
    if not layers:
        raise errors.UserError('the model has no layer with a quantizer')
    for _, link in layers:
        for param in (link.W, link.b):
            if param is None:
                continue
            hooks = _FixedPoint(il, fl, stochastic)
            if param.array is not None:
                hooks.round(param.array)
            param.update_rule.add_hook(
                hooks.before, 'FixedPointBefore', timing='pre')
            param.update_rule.add_hook(
                hooks.after, 'FixedPointAfter', timing='post')
