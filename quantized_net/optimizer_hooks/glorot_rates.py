"""Learning rates of the latent weights, scaled by the size of their layer."""

import numpy

from quantized_net import errors
from quantized_net import functions
from quantized_net.links import quantized_layer
from quantized_net.optimizer_hooks.scale_steps import scale_steps


def glorot_rates(optimizer, powers_of_two=False):
    """Multiplies the steps of latent weights by Glorot's factor.

    .. math:: \\sqrt{(n_{in} + n_{out}) / 1.5}

    where a linear layer has :math:`n_{in}` inputs and :math:`n_{out}`
    outputs; those of a convolution are its channels times the size of its
    kernel.  Only the weights of layers with a weight quantizer have it.  The
    optimizer's rate and its schedule hold for all; an Adam takes the factor
    as ``eta``, any other optimizer by
    :func:`~quantized_net.optimizer_hooks.scale_steps`.

    Call it once, after ``optimizer.setup(model)``.

    Args:
        optimizer (~chainer.Optimizer): With a model.
        powers_of_two (bool): Whether the factors are rounded to them.

    Returns:
        dict: From the names of the weights to their factors.

    Raises:
        ~quantized_net.UserError: For an optimizer without a model, a model
            without a quantized layer, or one whose weights have no shape
            yet.

    .. seealso:: Courbariaux et al., arXiv:1511.00363, section 2.5; the
        factor as in the authors' code.

    """
    model = optimizer.target
    if model is None:
        raise errors.UserError(
            'the optimizer has no model yet: call optimizer.setup(model) '
            'first')
    factors = {}
    for name, link in model.namedlinks():
        if not isinstance(link, quantized_layer.QuantizedLayer) or (
                link.weight_quantizer is None):
            continue
        if link.W.array is None:
            raise errors.UserError(
                '%s/W has no shape yet: run the model once' % name)
        factor = glorot_factor(link.W.shape)
        if powers_of_two:
            factor = float(functions.ap2(numpy.array(factor)))
        factors[name + '/W'] = factor
        _scale(optimizer, name + '/W', link.W, factor)
    if not factors:
        raise errors.UserError('the model has no layer with quantized weights')
    return factors


def glorot_factor(shape):
    """The factor of a weight of the shape (O, I) or (O, I, kH, kW)."""
    size = int(numpy.prod(shape[2:]))
    return ((shape[0] + shape[1]) * size / 1.5) ** .5


def _scale(optimizer, name, W, factor):
    hyperparam = W.update_rule.hyperparam
    if hasattr(optimizer.hyperparam, 'eta'):
        hyperparam.eta = optimizer.hyperparam.eta * factor
        return
    scale_steps(
        optimizer, factor, lambda other, param: other == name)
