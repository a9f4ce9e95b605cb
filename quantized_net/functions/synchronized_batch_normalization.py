"""BatchNormalization over the batches of several processes."""

import numpy

import chainer
from chainer import function_node
from chainer.utils import type_check

from quantized_net.functions import plain
from quantized_net.kernels import batch_normalization as kernels


class _SynchronizedBatchNormalization(function_node.FunctionNode):

    def __init__(self, total, eps, running_mean, running_var, decay, relu):
        self.total = total
        self.eps = eps
        self.running_mean = running_mean
        self.running_var = running_var
        self.decay = decay
        self.relu = relu

    def check_type_forward(self, in_types):
        n_in = in_types.size()
        type_check.expect(n_in >= 3, n_in <= 4)
        x_type, gamma_type, beta_type = in_types[:3]
        type_check.expect(
            x_type.dtype.kind == 'f', x_type.ndim >= 2,
            gamma_type.shape == x_type.shape[1:2],
            beta_type.shape == x_type.shape[1:2])
        if type_check.eval(n_in) == 4:
            type_check.expect(in_types[3].shape == x_type.shape)

    def forward(self, inputs):
        x, gamma, beta = inputs[:3]
        residual = inputs[3] if len(inputs) == 4 else None
        self.retain_inputs((0, 1))
        if self.relu:
            self.retain_outputs((0,))
        xp = chainer.backend.get_array_module(x)
        if plain.are_plain(x):
            mean, variance = kernels.moments(x)
        else:
            mean, variance = kernels.moments_reference(_wide(x))
        mean, variance = [a.astype(numpy.float64) for a in (mean, variance)]
        n = x.size // gamma.size
        sums = self.total(xp.concatenate([
            n * mean, n * (variance + mean * mean),
            xp.full(1, n, numpy.float64)]))
        self.n = sums[-1]
        mean, square = sums[:-1].reshape(2, -1) / self.n
        variance = xp.maximum(square - mean * mean, 0)
        # the type that Chainer computes statistics in
        dtype = numpy.promote_types(x.dtype, numpy.float32)
        self.mean = mean.astype(dtype)
        self.inv_std = (1 / xp.sqrt(variance + self.eps)).astype(dtype)
        if self.running_mean is not None:
            self.running_mean *= self.decay
            self.running_mean += (
                (1 - self.decay) * self.mean).astype(self.running_mean.dtype)
            self.running_var *= self.decay
            self.running_var += (
                (1 - self.decay) * self.n / xp.maximum(self.n - 1, 1)
                * variance).astype(self.running_var.dtype)
        return _normalize(
            x, self.mean, gamma * self.inv_std, beta, residual, self.relu),

    def backward(self, indexes, grad_outputs):
        x, gamma = [v.array for v in self.get_retained_inputs()]
        gy, = [v.array for v in grad_outputs]
        if self.relu:
            y, = self.get_retained_outputs()
            gy = gy * (y.array > 0).astype(gy.dtype)
        xp = chainer.backend.get_array_module(x)
        wide = _wide(gy)
        mean, inv_std = [a.reshape((-1,) + (1,) * (x.ndim - 2))
                         for a in (self.mean, self.inv_std)]
        axis = (0,) + tuple(range(2, x.ndim))
        gbeta = wide.sum(axis=axis, dtype=numpy.float64)
        ggamma = (wide * ((_wide(x) - mean) * inv_std)).sum(
            axis=axis, dtype=numpy.float64)
        means = self.total(xp.concatenate([ggamma, gbeta])).reshape(
            2, -1) / self.n
        of_gamma, of_beta = means.astype(self.mean.dtype)
        scale = gamma * self.inv_std
        # gamma / std (gy - x_hat mean(gy x_hat) - mean(gy))
        gx = _normalize(
            x, self.mean, -scale * self.inv_std * of_gamma, -scale * of_beta,
            (wide * scale.reshape(mean.shape)).astype(x.dtype), False)
        gradients = [gx, ggamma.astype(gamma.dtype),
                     gbeta.astype(gamma.dtype), gy]
        return tuple(chainer.as_variable(gradients[i]) for i in indexes)


def synchronized_batch_normalization(
        x, gamma, beta, total, eps=2e-5, running_mean=None, running_var=None,
        decay=0.9, residual=None, relu=False):
    """BatchNormalization whose batch is that of all processes together.

    What it computes is :func:`batch_normalization` of all their batches; the
    sums go over the processes once forward and once backward, in float64.
    The gradients of ``gamma`` and ``beta`` are this process's part, to be
    averaged with all others; so the loss of each has to be the mean over a
    part of the same size.  It can be differentiated once.

    Args:
        x (~chainer.Variable): Shape (N, C) or (N, C, H, W).
        gamma, beta (~chainer.Variable): Shape (C,).
        total (callable): From a float64 array to its sum over the processes,
            which all call it in the same order.
        eps (float): Added to the variance.
        running_mean, running_var (:ref:`ndarray`): Updated in place.
        decay (float): Of the running statistics.
        residual (~chainer.Variable): Added after the normalization.
        relu (bool): Whether the ReLU follows.

    Returns:
        ~chainer.Variable: Same shape as ``x``.

    .. seealso:: Ioffe and Szegedy, arXiv:1502.03167

    """
    inputs = (x, gamma, beta) + (() if residual is None else (residual,))
    return _SynchronizedBatchNormalization(
        total, eps, running_mean, running_var, decay, relu).apply(inputs)[0]


def _wide(x):
    """In float32 at least: the sums of float16 overflow."""
    return x.astype(numpy.promote_types(x.dtype, numpy.float32), copy=False)


def _normalize(x, center, scale, shift, residual, relu):
    if plain.are_plain(x):
        return kernels.normalize(x, center, scale, shift, residual, relu)
    center, scale, shift = [a.reshape((-1,) + (1,) * (x.ndim - 2))
                            for a in (center, scale, shift)]
    y = (_wide(x) - center) * scale + shift
    if residual is not None:
        y = y + residual
    if relu:
        y = chainer.backend.get_array_module(y).maximum(y, 0)
    return y.astype(x.dtype, copy=False)
