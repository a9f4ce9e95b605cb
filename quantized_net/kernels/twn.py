"""Ternary weight networks' threshold, scale and values."""

from chainer import backend
from chainer.backends import cuda
import numpy

# For the sums of so many parts one block of threads is enough.
_MOST_PARTS = 1 << 14


def threshold(W, factor, per_filter):
    """The magnitudes of the weights and factor times their mean.

    Args:
        W (:ref:`ndarray`): Floats, any shape.
        factor (float): Above 0.
        per_filter (bool): A threshold for each index of the first axis.

    Returns:
        tuple: Two arrays, float32, or float64 for float64: of the shape of
        ``W``; and of shape (), or (O, 1, ...) for each filter.

    """
    xp = backend.get_array_module(W)
    magnitude = xp.abs(W.astype(_of_sums(W), copy=False))
    delta = magnitude.sum(
        axis=_axis(W, per_filter), keepdims=per_filter) / max(
            _n(W, per_filter), 1) * magnitude.dtype.type(factor)
    return magnitude, delta


def twn(W, factor, per_filter):
    """The values, their codes and their scales.

    Args:
        W, factor, per_filter: As in :func:`threshold`.

    Returns:
        tuple: The values; the codes -1, 0 and 1 (int8); the scales, of the
        dtype of ``W`` and shape (), or (O, 1, ...) for each filter.

    """
    if isinstance(W, numpy.ndarray) or W.size == 0:
        return reference(W, factor, per_filter)
    return cuda_form(W, factor, per_filter)


def reference(W, factor, per_filter):
    """The NumPy form."""
    xp, axis = backend.get_array_module(W), _axis(W, per_filter)
    magnitude, delta = threshold(W, factor, per_filter)
    above = magnitude > delta
    count = above.sum(axis=axis, keepdims=per_filter)
    total = xp.where(above, magnitude, 0).sum(axis=axis, keepdims=per_filter)
    alpha = total / xp.maximum(count, 1).astype(total.dtype)
    alpha = xp.where(xp.isfinite(delta), alpha, numpy.nan)
    codes = (above & (W > 0)).astype(numpy.int8)
    codes -= above & (W < 0)
    alpha = xp.asarray(alpha).astype(W.dtype)
    return codes.astype(W.dtype) * alpha, codes, alpha


def cuda_form(W, factor, per_filter):
    """The CUDA form: two passes that sum parts, their sums, the values.

    Parts, so that more than a block of threads is at work on a scale.
    """
    xp, U = backend.get_array_module(W), _of_sums(W)
    W = xp.ascontiguousarray(W)
    n, n_scales = _n(W, per_filter), len(W) if per_filter else 1
    n_parts = max(min(n // 8, _MOST_PARTS // n_scales), 1)
    parts, counts = xp.empty((2, n_scales, n_parts), U)
    delta, alpha = xp.empty((n_scales,), U), xp.empty((n_scales,), W.dtype)
    cuda.elementwise(
        'raw T W, int64 size, int64 step', 'U part', '''
        const long long begin = i / step * size;
        U sum = 0;
        for (long long k = begin + i % step; k < begin + size; k += step)
          sum += abs((U)W[k]);
        part = sum;''', 'quantized_net_twn_magnitudes')(
            W, n, n_parts, parts)
    cuda.reduce(
        'U part, U factor', 'U delta', 'part', 'a + b', 'delta = a * factor',
        '0', 'quantized_net_twn_threshold')(
            parts, U.type(factor / n), delta, axis=1)
    cuda.elementwise(
        'raw T W, raw U delta, int64 size, int64 step', 'U part, U count',
        '''
        const long long begin = i / step * size;
        const U bound = delta[i / step];
        U sum = 0;
        long long n_above = 0;
        for (long long k = begin + i % step; k < begin + size; k += step) {
          const U x = abs((U)W[k]);
          if (x > bound) { sum += x; ++n_above; }
        }
        part = sum + (bound - bound);  // NaN where delta is not finite
        count = (U)n_above;''', 'quantized_net_twn_above')(
            W, delta, n, n_parts, parts, counts)
    cuda.reduce(
        'U part, U count', 'T alpha', 'Sums(part, count)',
        'Sums(a.sum + b.sum, a.count + b.count)',
        'alpha = (T)(a.sum / (a.count > 1 ? a.count : 1))', '0',
        'quantized_net_twn_scale', reduce_type='Sums', preamble='''
struct Sums {
  U sum, count;
  __device__ Sums(U sum = 0, U count = 0) : sum(sum), count(count) {}
};''')(parts, counts, alpha, axis=1)
    y, codes = cuda.elementwise(
        'T W, raw U delta, raw T alpha, int64 size', 'T y, int8 code', '''
        const U bound = delta[i / size];
        code = (U)W > bound ? 1 : ((U)W < -bound ? -1 : 0);
        y = (T)((T)code * alpha[i / size]);''', 'quantized_net_twn')(
            W, delta, alpha, n)
    return y, codes, alpha.reshape(
        (n_scales,) + (1,) * (W.ndim - 1) if per_filter else ())


def _of_sums(W):
    return numpy.promote_types(W.dtype, numpy.float32)


def _axis(W, per_filter):
    return tuple(range(1, W.ndim)) if per_filter else None


def _n(W, per_filter):
    """The number of weights that share a scale."""
    return W.size // len(W) if per_filter and len(W) else W.size
