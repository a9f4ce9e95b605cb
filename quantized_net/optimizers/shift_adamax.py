"""AdaMax by shifts: steps that are powers of two times the momentum."""

from chainer import backend
from chainer import optimizer
import numpy

from quantized_net import functions

_DEFAULTS = {'alpha': 2. ** -6, 'beta1': .9, 'beta2': .999, 'eta': 1.,
             'eps': 2. ** -27}


class _ShiftAdaMaxRule(optimizer.UpdateRule):

    def __init__(self, parent_hyperparam=None):
        super(_ShiftAdaMaxRule, self).__init__(parent_hyperparam)

    def init_state(self, param):
        xp = backend.get_array_module(param.array)
        dtype = numpy.promote_types(param.dtype, numpy.float32)
        for name in ('m', 'v'):
            self.state[name] = xp.zeros(param.shape, dtype)

    def _update(self, param):
        if param.grad is None:
            return
        xp = backend.get_array_module(param.array)
        hp, m, v = self.hyperparam, self.state['m'], self.state['v']
        grad = param.grad.astype(m.dtype, copy=False)
        m *= hp.beta1
        m += (1 - hp.beta1) * grad
        v *= hp.beta2
        xp.maximum(v, abs(grad), out=v)
        rate = float(functions.ap2(numpy.array(
            hp.alpha / (1 - hp.beta1 ** self.t))))
        step = m / (functions.ap2(v) + v.dtype.type(hp.eps))
        step *= v.dtype.type(rate * hp.eta)
        param.array -= step.astype(param.dtype, copy=False)

    update_core_cpu = _update
    update_core_gpu = _update


class ShiftAdaMax(optimizer.GradientMethod):

    """AdaMax whose rate and second moment are powers of two.

    .. math::

        m &\\leftarrow \\beta_1 m + (1 - \\beta_1) g \\\\
        v &\\leftarrow \\max(\\beta_2 v, |g|) \\\\
        x &\\leftarrow x - AP2\\left(\\frac{\\alpha}{1 - \\beta_1^t}\\right)
            \\eta \\frac{m}{AP2(v) + 2^{-27}}

    with AP2 the nearest power of two (:func:`~quantized_net.functions.ap2`).
    A power of two for :math:`\\eta`, too, leaves no product but shifts.
    float16 parameters are updated in float32.

    Args:
        alpha (float): Learning rate.
        beta1 (float): Decay of the first moment.
        beta2 (float): Decay of the second moment.
        eta (float): Factor of the step.
        eps (float): Added to the second moment.

    .. seealso:: Courbariaux et al., arXiv:1602.02830, algorithm 4; constants
        as in the authors' code for Torch.  Kingma and Ba, arXiv:1412.6980,
        section 7.1.

    """

    def __init__(self, alpha=_DEFAULTS['alpha'], beta1=_DEFAULTS['beta1'],
                 beta2=_DEFAULTS['beta2'], eta=_DEFAULTS['eta'],
                 eps=_DEFAULTS['eps']):
        super(ShiftAdaMax, self).__init__()
        for name, value in (('alpha', alpha), ('beta1', beta1),
                            ('beta2', beta2), ('eta', eta), ('eps', eps)):
            setattr(self.hyperparam, name, value)

    alpha = optimizer.HyperparameterProxy('alpha')
    beta1 = optimizer.HyperparameterProxy('beta1')
    beta2 = optimizer.HyperparameterProxy('beta2')
    eta = optimizer.HyperparameterProxy('eta')
    eps = optimizer.HyperparameterProxy('eps')

    def create_update_rule(self):
        return _ShiftAdaMaxRule(self.hyperparam)
