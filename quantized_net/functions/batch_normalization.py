"""BatchNormalization with the addition and the ReLU that follow it."""

import numpy

import chainer
from chainer import function_node
from chainer import functions as F
from chainer.functions.normalization import (
    batch_normalization as chainer_normalization)

from quantized_net.functions import plain
from quantized_net.kernels import batch_normalization as kernels
from quantized_net.kernels import batch_normalization_cuda as cuda_kernels


class _BatchNormalization(function_node.FunctionNode):

    def __init__(self, eps, running_mean, running_var, decay, relu):
        self.eps = eps
        self.running_mean = running_mean
        self.running_var = running_var
        self.decay = decay
        self.relu = relu

    def forward_cpu(self, inputs):
        x, gamma, beta = inputs[:3]
        residual = inputs[3] if len(inputs) == 4 else None
        self.retain_inputs((0, 1, 2))
        if self.relu:
            self.retain_outputs((0,))
        self.mean, variance = kernels.moments(x)
        self.inv_std = numpy.reciprocal(numpy.sqrt(variance + self.eps))
        if self.running_mean is not None:
            n = x.size // gamma.size
            self.running_mean *= self.decay
            self.running_mean += (1 - self.decay) * self.mean
            self.running_var *= self.decay
            self.running_var += (1 - self.decay) * (
                n / max(n - 1., 1.)) * variance
        return kernels.normalize(
            x, self.mean, gamma * self.inv_std, beta, residual, self.relu),

    def forward_gpu(self, inputs):
        x, gamma, beta = inputs[:3]
        self.retain_inputs((0, 1, 2))
        if self.relu:
            self.retain_outputs((0,))
        self.mean, self.inv_std = cuda_kernels.moments(
            x, self.eps, self.decay, gamma.dtype, self.running_mean,
            self.running_var)
        return cuda_kernels.normalize(
            x, self.mean, self.inv_std, gamma, beta,
            inputs[3] if len(inputs) == 4 else None, self.relu),

    def backward_accumulate(self, indexes, grad_outputs, grad_inputs):
        x, gamma, beta = self.get_retained_inputs()
        gy, = grad_outputs
        before = dict(zip(indexes, grad_inputs))
        if not (chainer.config.enable_backprop
                or isinstance(x.array, numpy.ndarray)):
            return _add_to(before, indexes, self._gradients_gpu(
                x.array, gamma.array, gy.array, before.pop(0, None),
                3 in indexes))
        relu = self.relu
        if relu and (len(self.inputs) == 4 or chainer.config.enable_backprop):
            y, = self.get_retained_outputs()
            gy = gy * (y.array > 0).astype(gy.dtype)
            relu = False
        if chainer.config.enable_backprop:
            # Chainer's own can be differentiated once more
            axis = (0,) + tuple(range(2, x.ndim))
            gradients = chainer_normalization.BatchNormalizationGrad(
                self.eps, (None, slice(None)) + (None,) * (x.ndim - 2), axis,
                self.mean, None, self.inv_std, (1,),
                chainer_normalization.GeneralBatchNormalizationImpl(), None,
            ).apply((x, gamma, gy))
        else:
            # the gradient of a shortcut beside it, in the same pass
            added = before.pop(0, None)
            gradients = [chainer.as_variable(g) for g in kernels.gradients(
                x.array, gy.array, self.mean, self.inv_std, gamma.array,
                beta.array if relu else None,
                None if added is None else added.array)]
        return _add_to(before, indexes, tuple(gradients) + (gy,))

    def _gradients_gpu(self, x, gamma, gy, added, with_residual):
        y = self.get_retained_outputs()[0].array if self.relu else None
        return [
            None if g is None else chainer.as_variable(g)
            for g in cuda_kernels.gradients(
                x, gy, self.mean, self.inv_std, gamma, y,
                None if added is None else added.array, with_residual)]


def _add_to(before, indexes, gradients):
    """The wanted gradients, with those that were there before."""
    return tuple(
        gradients[i] if before.get(i) is None
        else gradients[i] + before[i] for i in indexes)


def batch_normalization(x, gamma, beta, eps=2e-5, running_mean=None,
                        running_var=None, decay=0.9, axis=None,
                        residual=None, relu=False):
    """:func:`chainer.functions.batch_normalization`, but faster.

    .. math::

        y = \\gamma \\frac{x - \\mu}{\\sqrt{\\sigma^2 + \\epsilon}} + \\beta
            \\; [+ \\text{residual}] \\qquad
        y = \\max(y, 0) \\; [\\text{relu}]

    The first arguments are Chainer's, and so are the results, but for
    rounding; in float16 the sums are float32's, which do not overflow.

    Args:
        x (~chainer.Variable): Shape (N, C) or (N, C, H, W) for the faster
            form; whatever Chainer takes for its own.
        gamma, beta (~chainer.Variable): Shape (C,).
        eps (float): Added to the variance.
        running_mean, running_var (:ref:`ndarray`): Updated in place.
        decay (float): Of the running statistics.
        axis: As in Chainer.
        residual (~chainer.Variable): Added after the normalization.
        relu (bool): Whether the ReLU follows.

    Returns:
        ~chainer.Variable: Same shape as ``x``.

    .. seealso:: Ioffe and Szegedy, arXiv:1502.03167

    """
    if x.dtype == gamma.dtype == numpy.float16:
        # what Chainer sums in the type of gamma
        gamma, beta = [F.cast(v, numpy.float32) for v in (gamma, beta)]
    inputs = (x, gamma, beta) + (() if residual is None else (residual,))
    if _are_plain(axis, inputs, running_mean, running_var) and (
            x.size > gamma.size):
        return _BatchNormalization(
            eps, running_mean, running_var, decay, relu).apply(inputs)[0]
    y = F.batch_normalization(
        x, gamma, beta, eps=eps, running_mean=running_mean,
        running_var=running_var, decay=decay, axis=axis)
    return _add_and_relu(y, residual, relu)


def fixed_batch_normalization(x, gamma, beta, mean, var, eps=2e-5, axis=None,
                              residual=None, relu=False):
    """:func:`chainer.functions.fixed_batch_normalization`, likewise."""
    inputs = (x, gamma, beta) + (() if residual is None else (residual,))
    if chainer.config.enable_backprop or not _are_plain(
            axis, inputs, mean, var):
        y = F.fixed_batch_normalization(
            x, gamma, beta, mean, var, eps, axis)
        return _add_and_relu(y, residual, relu)
    x, gamma, beta, mean, var, residual = [
        getattr(a, 'array', a)
        for a in (x, gamma, beta, mean, var, residual)]
    if isinstance(x, numpy.ndarray):
        y = kernels.normalize(
            x, mean, gamma / numpy.sqrt(var + eps), beta, residual, relu)
    else:
        y = cuda_kernels.normalize(
            x, mean, cuda_kernels.inverse_deviation(var, eps), gamma, beta,
            residual, relu)
    return chainer.Variable(y)


def _are_plain(axis, inputs, *statistics):
    """Whether these are arrays that the kernels take, of matching shapes."""
    images, vectors = inputs[:1] + inputs[3:], inputs[1:3] + tuple(
        a for a in statistics if a is not None)
    x = images[0]
    if axis is not None:
        axis = [axis] if isinstance(axis, int) else list(axis)
    return (
        x.ndim in (2, 4) and axis in (None, [0] + list(range(2, x.ndim)))
        and all(a.shape == x.shape for a in images)
        and all(a.shape == x.shape[1:2] for a in vectors)
        and (plain.are_plain(*images, *vectors)
             or plain.are_plain_on_gpu(images, vectors)))


def _add_and_relu(y, residual, relu):
    if residual is not None:
        y += residual
    return F.relu(y) if relu else y
