"""A rate of their own for chosen parameters."""

from quantized_net import errors
from quantized_net import quantizers


class _StepFactor(object):

    """The two hooks of one update rule; float16 steps are float32 here."""

    def __init__(self, factor):
        self.factor = factor
        self._before = None

    def before(self, rule, param):
        self._before = param.array.copy()

    def after(self, rule, param):
        before, self._before = self._before, None
        param.array[...] = before + param.dtype.type(self.factor) * (
            param.array - before)


def scale_steps(optimizer, factor, which=None):
    """Multiplies the steps that chosen parameters make in each update.

    .. math:: x \\leftarrow x_{old} + factor \\cdot (x - x_{old})

    With plain and with momentum SGD that is a learning rate of ``factor *
    lr``.  It holds for any optimizer, and the rate goes on following the
    optimizer's schedule, where a hyperparameter that is set on the update
    rule would not.  Parameters that are not updated stay as they are.

    Call it once, after ``optimizer.setup(model)``.

    Args:
        optimizer (~chainer.Optimizer): With a model.
        factor (float): At least 0.
        which (callable): ``f(name, param)``: which parameters, with names
            as ``namedparams`` gives them; if ``None``, the parameters of the
            quantizers.

    Returns:
        list of str: Names of the parameters.

    Raises:
        ~quantized_net.UserError: For a negative factor, an optimizer
            without a model, or where no parameter is chosen.

    .. rubric:: Example

    >>> optimizer = chainer.optimizers.MomentumSGD(.1).setup(model)
    >>> scale_steps(optimizer, .1)
    ['/fc/weight_quantizer/Wp', '/fc/weight_quantizer/Wn']

    """
    if not factor >= 0:
        raise errors.UserError(
            'factor must be at least 0, not %r' % (factor,))
    model = optimizer.target
    if model is None:
        raise errors.UserError(
            'the optimizer has no model yet: call optimizer.setup(model) '
            'first')
    if which is None:
        of_quantizers = {
            id(param) for link in model.links()
            if isinstance(link, quantizers.Quantizer)
            for param in link.params()}
        chosen = [(name, param) for name, param in model.namedparams()
                  if id(param) in of_quantizers]
    else:
        chosen = [(name, param) for name, param in model.namedparams()
                  if which(name, param)]
    if not chosen:
        raise errors.UserError(
            'no parameter is chosen; the model has: %s'
            % ', '.join(name for name, _ in model.namedparams()))
    for _, param in chosen:
        hooks = _StepFactor(factor)
        param.update_rule.add_hook(hooks.before, 'StepBefore', timing='pre')
        param.update_rule.add_hook(hooks.after, 'StepAfter', timing='post')
    return [name for name, _ in chosen]
