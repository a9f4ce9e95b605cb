"""BatchNormalization by shifts: every factor is a power of two."""

from chainer import backend
from chainer import function_node
from chainer import functions as F
import numpy

from quantized_net.functions import sums
from quantized_net.functions.log_quant import ap2
from quantized_net.functions.log_quant import log_quant

# Of gamma: as large as float16 has powers of two.
_MAX_EXPONENT = 15


class _Normalize(function_node.FunctionNode):

    """(x - mean) AP2(1 / sigma); the gradient of BatchNormalization."""

    def __init__(self, eps, running_mean, running_var, decay):
        self.eps = eps
        self.running = running_mean, running_var
        self.decay = decay

    def forward(self, inputs):
        x, = inputs
        self.axis = (0,) + tuple(range(2, x.ndim))
        wide = x.astype(
            numpy.promote_types(x.dtype, numpy.float32), copy=False)
        mean = wide.mean(axis=self.axis, keepdims=True)
        centered = wide - mean
        variance = (ap2(centered) * centered).mean(
            axis=self.axis, keepdims=True)
        self.scale = ap2(_inverse_root(variance, self.eps))
        for running, found in zip(self.running, (mean, variance)):
            if running is not None:
                running *= running.dtype.type(self.decay)
                running += ((1 - self.decay) * found.reshape(
                    running.shape)).astype(running.dtype)
        self.retain_outputs((0,))
        return (centered * self.scale).astype(x.dtype, copy=False),

    def backward(self, indexes, gys):
        y, = self.get_retained_outputs()
        gy, = gys
        n = y.size // self.scale.size

        def mean(v):
            total = sums.sum_in_float32(v / n, self.axis)
            shape = (1, -1) + (1,) * (v.ndim - 2)
            return F.broadcast_to(total.reshape(shape), v.shape)

        gx = gy - mean(gy) - y * mean(gy * y)
        scale = self.scale.astype(gy.dtype)
        return gx * backend.get_array_module(scale).broadcast_to(
            scale, gx.shape),


def _inverse_root(variance, eps):
    xp = backend.get_array_module(variance)
    return 1 / xp.sqrt(variance + variance.dtype.type(eps))


def _scaled(y, gamma, beta):
    """y AP2(gamma) + beta, whose gradient passes straight to gamma."""
    shape = (1, -1) + (1,) * (y.ndim - 2)
    gamma = log_quant(
        gamma, max_exponent=_MAX_EXPONENT, clip_value=None)
    gamma, beta = [F.broadcast_to(
        F.cast(v, y.dtype).reshape(shape), y.shape) for v in (gamma, beta)]
    return y * gamma + beta


def shift_batch_normalization(x, gamma, beta, eps=1e-5, running_mean=None,
                              running_var=None, decay=0.875):
    """BatchNormalization whose products are shifts.

    With c the input less the mean of its channel, and AP2 the nearest power
    of two (:func:`~quantized_net.functions.ap2`):

    .. math::

        \\sigma^2 = \\text{mean}(c \\cdot AP2(c)) \\qquad
        y = c \\cdot AP2(1 / \\sqrt{\\sigma^2 + \\epsilon})
            \\cdot AP2(\\gamma) + \\beta

    The gradient is that of BatchNormalization at these values: AP2 counts as
    the identity.  (The authors' code of the gradient was not at hand.)

    Args:
        x (~chainer.Variable): Shape (N, C) or (N, C, H, W).
        gamma, beta (~chainer.Variable): Shape (C,).
        eps (float): Added to the variance.
        running_mean, running_var (:ref:`ndarray`): Shape (C,); updated in
            place.
        decay (float): Of the running statistics.

    Returns:
        ~chainer.Variable: Same shape and dtype as ``x``.

    .. seealso:: Courbariaux et al., arXiv:1602.02830, algorithm 2; constants
        as in the authors' code for Torch.

    """
    y, = _Normalize(eps, running_mean, running_var, decay).apply((x,))
    return _scaled(y, gamma, beta)


def fixed_shift_batch_normalization(x, gamma, beta, mean, var, eps=1e-5):
    """The same with given statistics, as a trained model has them.

    Args:
        x (~chainer.Variable): Shape (N, C) or (N, C, H, W).
        gamma, beta (~chainer.Variable): Shape (C,).
        mean, var (:ref:`ndarray`): Shape (C,).
        eps (float): Added to the variance.

    Returns:
        ~chainer.Variable: Same shape and dtype as ``x``.

    """
    shape = (1, -1) + (1,) * (x.ndim - 2)
    xp = backend.get_array_module(mean)
    mean, scale = [
        xp.broadcast_to(v.reshape(shape).astype(x.dtype), x.shape)
        for v in (mean, ap2(_inverse_root(var, eps)))]
    return _scaled((x - mean) * scale, gamma, beta)
