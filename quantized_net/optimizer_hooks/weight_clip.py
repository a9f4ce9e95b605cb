"""Keeps latent weights within bounds."""

from quantized_net.kernels import clip
from quantized_net.links import quantized_layer


class WeightClip(object):

    """Optimizer hook that clips weights after each update.

    By default it acts on the latent weights of quantized layers alone: a
    weight beyond the bound of its straight-through estimator would get no
    gradient and never come back.  A parameter whose update is disabled stays
    as it is.

    Args:
        low (float): Lower bound.
        high (float): Upper bound.
        params: ``None`` for the latent weights of quantized layers, ``'all'``
            for every parameter (what the original code did: it clips biases
            and the scales of BatchNormalization too), or the names of the
            parameters, as ``'gamma'`` or as a path ``'/l1/W'``.

    .. rubric:: Example

    >>> optimizer = chainer.optimizers.Adam().setup(model)
    >>> optimizer.add_hook(WeightClip())

    .. seealso:: arXiv:1602.02830, section 1.4 and algorithm 1.

    """

    name = 'WeightClip'
    timing = 'post'
    call_for_each_param = False

    def __init__(self, low=-1.0, high=1.0, params=None):
        if not low < high:
            raise ValueError('low must be below high: %r, %r' % (low, high))
        if isinstance(params, str) and params != 'all':
            params = [params]
        self.low = low
        self.high = high
        self.params = params

    def __call__(self, optimizer):
        clip.clip_all([
            param.array for param in self._select(optimizer.target)
            # not those not yet initialized, or frozen
            if param.array is not None and param.update_rule is not None
            and param.update_rule.enabled], self.low, self.high)

    def _select(self, model):
        if self.params is None:
            selected = [
                link.W for link in model.links()
                if isinstance(link, quantized_layer.QuantizedLayer)
                and link.weight_quantizer is not None]
            if not selected:
                raise ValueError(
                    'WeightClip found no layer with a weight quantizer; '
                    'name the parameters to clip: WeightClip(params=...)')
            return selected
        if self.params == 'all':
            return list(model.params())
        selected = []
        for wanted in self.params:
            found = [param for path, param in model.namedparams()
                     if wanted in (path, param.name)]
            if not found:
                raise ValueError(
                    'WeightClip: the model has no parameter %r' % wanted)
            selected += found
        return selected
