"""Adam with a faster update."""

import chainer
from chainer.optimizers import adam

from quantized_net import kernels
from quantized_net.optimizers import batched


class _AdamRule(adam.AdamRule):

    batch: batched.Batch

    def _is_plain(self, param):
        hp = self.hyperparam
        return not (hp.amsgrad or hp.adabound or hp.weight_decay_rate) and (
            param.dtype.char in 'fd')

    def _arrays(self, param):
        return [param.array, param.grad, self.state['m'], self.state['v']]

    def _numbers(self):
        hp = self.hyperparam
        return 1.0 - hp.beta1, 1.0 - hp.beta2, hp.eps, self.alpha_t, hp.eta

    def update_core_cpu(self, param):
        if param.grad is None:
            return
        if not self._is_plain(param):
            super(_AdamRule, self).update_core_cpu(param)
            return
        self._check_eps(param.dtype.type)
        kernels.adam_update(*self._arrays(param), *self._numbers())

    def update_core_gpu(self, param):
        if param.grad is None:
            return
        if self._is_plain(param):
            self._check_eps(param.dtype.type)
            if self.batch.add(self, param, self._arrays(param),
                              self._numbers()):
                return
        super(_AdamRule, self).update_core_gpu(param)


class Adam(batched.Batched, chainer.optimizers.Adam):

    """:class:`chainer.optimizers.Adam` with a faster update.

    The options are Chainer's and so are the results, on the CPU bit for bit.
    On a GPU the parameters are updated together, in one or a few launches,
    before the hooks that are called after the update; those with such a hook
    of their own one by one.  With ``amsgrad``, ``adabound`` or a weight decay
    rate, and in float16, it is Chainer's own update that runs.

    .. seealso:: :func:`quantized_net.kernels.adam_update`
    """

    def __init__(self, *args, **kwargs):
        super(Adam, self).__init__(*args, **kwargs)
        self.batch = batched.Batch(kernels.adam_updates)

    def create_update_rule(self):
        rule = _AdamRule(self.hyperparam)
        rule.batch = self.batch
        return rule
