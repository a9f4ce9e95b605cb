"""BatchNormalization of images or vectors, with the ReLU that follows.

The forms for a GPU: :mod:`quantized_net.kernels.batch_normalization_cuda`.
"""

import numpy

from quantized_net.kernels import layout
from quantized_net.kernels import native


def moments(x):
    """Mean and variance (divided by n) of each channel.

    Args:
        x (numpy.ndarray): Shape (N, C) or (N, C, H, W).

    Returns:
        tuple: Two arrays of shape (C,).

    """
    if native.takes(x):
        rows = _rows(x)
        mean, variance = numpy.empty((2, rows.shape[-1]), numpy.float32)
        if native.call('channel_moments', rows, _n(rows), rows.shape[-1],
                       mean, variance):
            return mean, variance
    return moments_reference(x)


def normalize(x, center, scale, shift, residual=None, relu=False):
    """scale * (x - center) + shift [+ residual], or its positive part.

    Args:
        x, residual (numpy.ndarray): Shape (N, C) or (N, C, H, W).
        center, scale, shift (numpy.ndarray): Shape (C,).
        relu (bool): Whether negative results become 0.

    Returns:
        numpy.ndarray: Same shape as ``x``.

    """
    if native.takes(x, center, scale, shift, residual):
        y, rows = _empty(x.shape), _rows(x)
        channels = [
            numpy.ascontiguousarray(a) for a in (center, scale, shift)]
        if native.call(
                'batch_normalization', rows,
                None if residual is None else _rows(residual), _n(rows),
                rows.shape[-1], *channels, bool(relu), _rows(y)):
            return y
    return normalize_reference(x, center, scale, shift, residual, relu)


def gradients(x, gy, mean, inv_std, gamma, beta=None, added=None):
    """The gradients of normalizing by the batch's own moments.

    Args:
        x, gy (numpy.ndarray): Input and gradient of the output.
        mean, inv_std, gamma (numpy.ndarray): Shape (C,).
        beta (numpy.ndarray or None): Shape (C,), where a ReLU followed; it
            is had from ``x`` again.
        added (numpy.ndarray or None): What the gradient of ``x`` is added
            to, of its shape.

    Returns:
        tuple: Gradients of ``x``, ``gamma`` and ``beta``.

    """
    if native.takes(x, gy, mean, inv_std, gamma, beta, added):
        gx, rows = _empty(x.shape), _rows(x)
        channels = [
            None if a is None else numpy.ascontiguousarray(a)
            for a in (mean, inv_std, gamma, beta)]
        ggamma, gbeta = numpy.empty((2, len(gamma)), numpy.float32)
        if native.call(
                'batch_normalization_gradient', rows, _rows(gy),
                None if added is None else _rows(added), _n(rows),
                rows.shape[-1], *channels, _rows(gx), ggamma, gbeta):
            return gx, ggamma, gbeta
    return gradients_reference(x, gy, mean, inv_std, gamma, beta, added)


def _rows(x):
    return numpy.ascontiguousarray(x) if x.ndim == 2 else (
        layout.channels_last(x))


def _n(rows):
    return rows.size // rows.shape[-1]


def _empty(shape):
    return numpy.empty(shape, numpy.float32) if len(shape) == 2 else (
        layout.empty(shape))


def moments_reference(x):
    """The NumPy form of :func:`moments`."""
    axis = _axis(x)
    return x.mean(axis=axis), x.var(axis=axis)


def normalize_reference(x, center, scale, shift, residual=None, relu=False):
    """The NumPy form of :func:`normalize`."""
    center, scale, shift = _expand(x, center, scale, shift)
    y = x - center
    y *= scale
    y += shift
    if residual is not None:
        y += residual
    return numpy.maximum(y, 0, out=y) if relu else y


def gradients_reference(x, gy, mean, inv_std, gamma, beta=None, added=None):
    """The NumPy form of :func:`gradients`."""
    if beta is not None:
        gy = gy * (normalize_reference(x, mean, gamma * inv_std, beta) > 0)
    axis = _axis(x)
    x_hat = (x - _expand(x, mean)[0]) * _expand(x, inv_std)[0]
    gbeta = gy.sum(axis=axis)
    ggamma = (gy * x_hat).sum(axis=axis)
    n = x.size // len(gamma)
    scale, of_gamma, of_beta = _expand(
        x, gamma * inv_std, ggamma / n, gbeta / n)
    gx = scale * (gy - x_hat * of_gamma - of_beta)
    return gx if added is None else gx + added, ggamma, gbeta


def _axis(x):
    return (0,) + tuple(range(2, x.ndim))


def _expand(x, *values):
    return [v.reshape((-1,) + (1,) * (x.ndim - 2)) for v in values]
