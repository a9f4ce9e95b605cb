"""Momentum SGD with weight decay in one pass."""

import chainer
from chainer.optimizers import momentum_sgd

from quantized_net import kernels
from quantized_net.optimizers import batched


class _MomentumSGDRule(momentum_sgd.MomentumSGDRule):

    weight_decay = 0.
    nesterov = False
    batch: batched.Batch

    def _numbers(self):
        hp = self.hyperparam
        return hp.lr, hp.momentum, self.weight_decay, self.nesterov

    def update_core_cpu(self, param):
        if param.grad is None:
            return
        kernels.momentum_sgd_update(
            param.array, param.grad, self.state['v'], *self._numbers())

    def update_core_gpu(self, param):
        if param.grad is None or self.batch.add(
                self, param, [param.array, param.grad, self.state['v']],
                self._numbers()):
            return
        self._add_decay(param)
        super(_MomentumSGDRule, self).update_core_gpu(param)
        self._look_ahead(param)

    def _look_ahead(self, param):
        # v was added; mu v - lr g should have been
        if self.nesterov:
            hp, dtype = self.hyperparam, param.dtype.type
            param.array += dtype(hp.momentum - 1) * self.state['v']
            param.array -= dtype(hp.lr) * param.grad

    def _add_decay(self, param):
        if self.weight_decay:
            param.grad += param.dtype.type(self.weight_decay) * param.array


class MomentumSGD(batched.Batched, chainer.optimizers.MomentumSGD):

    """:class:`chainer.optimizers.MomentumSGD` with weight decay built in.

    It gives the bits of Chainer's, with the hook
    :class:`chainer.optimizer_hooks.WeightDecay` where there is decay; but for
    float16 with ``use_fp32_update``, which decays in float32 where the hook
    rounds to float16.  On a GPU the parameters are updated together, in one
    or a few launches, before the hooks that are called after the update;
    those with such a hook of their own, and in float16, one by one.

    With Nesterov's momentum it is the update of Sutskever et al. (2013, eq.
    3 and 4) at the point that is looked ahead to, as PyTorch and Lasagne
    have it (:func:`~quantized_net.kernels.momentum_sgd_update`);
    :class:`chainer.optimizers.NesterovAG` multiplies the new velocity by
    :math:`\\mu^2` where the derivation has the old one.

    Args:
        lr (float): Learning rate.
        momentum (float): Exponential decay rate of the first moment.
        weight_decay (float): Rate :math:`\\lambda`: each gradient gets
            :math:`\\lambda` times its parameter added.
        decays (callable): ``f(name, param)``: which parameters decay; all,
            if ``None``.  Names are those of ``namedparams``.
        nesterov (bool): Whether the momentum is Nesterov's.

    """

    def __init__(self, lr=0.01, momentum=0.9, weight_decay=0., decays=None,
                 nesterov=False):
        super(MomentumSGD, self).__init__(lr, momentum)
        self.batch = batched.Batch(kernels.momentum_sgd_updates)
        self.nesterov = nesterov
        self.weight_decay = weight_decay
        self.decays = decays

    def create_update_rule(self):
        rule = _MomentumSGDRule(self.hyperparam)
        rule.batch = self.batch
        return rule

    def setup(self, link):
        super(MomentumSGD, self).setup(link)
        for name, param in link.namedparams():
            param.update_rule.nesterov = self.nesterov
            if self.decays is None or self.decays(name, param):
                param.update_rule.weight_decay = self.weight_decay
        return self
