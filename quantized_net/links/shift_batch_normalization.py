"""Shift-based BatchNormalization, and models that get it."""

import chainer
from chainer import functions as F
from chainer import links as L
from chainer.utils import argument

from quantized_net import functions
from quantized_net import traversal
from quantized_net.links import batch_normalization

_EPS, _DECAY = 1e-5, .875  # of the authors' code


class ShiftBatchNormalization(batch_normalization.BatchNormalization):

    """BatchNormalization whose factors are powers of two.

    Parameters, statistics and their names are those of
    :class:`chainer.links.BatchNormalization`, and so are the arguments.

    .. seealso:: :func:`quantized_net.functions.shift_batch_normalization`

    """

    def __init__(self, size, decay=_DECAY, eps=_EPS, **kwargs):
        super(ShiftBatchNormalization, self).__init__(
            size, decay, eps, **kwargs)

    def forward(self, x, **kwargs):
        """Normalizes by the batch's statistics, or the running ones.

        Args:
            x (~chainer.Variable): Input, shape (N, C) or (N, C, H, W).
            residual (~chainer.Variable): Added to the normalized x.
            relu (bool): Whether the ReLU follows.  Both by name only.

        Returns:
            ~chainer.Variable: Output, same shape as ``x``.

        """
        residual, relu = argument.parse_kwargs(
            kwargs, ('residual', None), ('relu', False))
        x = chainer.as_variable(x)
        gamma = self._get_gamma()[0] if self.gamma is None else self.gamma
        beta = self._get_beta()[0] if self.beta is None else self.beta
        if chainer.config.train:
            mean, var = (None, None) if chainer.config.in_recomputing else (
                self.avg_mean, self.avg_var)
            y = functions.shift_batch_normalization(
                x, gamma, beta, self.eps, mean, var, self.decay)
        else:
            y = functions.fixed_shift_batch_normalization(
                x, gamma, beta, self.avg_mean, self.avg_var, self.eps)
        if residual is not None:
            y += residual
        return F.relu(y) if relu else y


def to_shift_based(model):
    """Every BatchNormalization of a model becomes shift-based, in place.

    They stay the same objects with the same parameters.

    Args:
        model (~chainer.Link): The model.

    Returns:
        list of str: Their paths.

    """
    changed = []
    for path, link in traversal.links_in_order(model):
        if type(link) in (L.BatchNormalization,
                          batch_normalization.BatchNormalization):
            link.__class__ = ShiftBatchNormalization
            link.eps, link.decay = _EPS, _DECAY
            changed.append(path)
    return changed
