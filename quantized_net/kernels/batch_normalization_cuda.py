"""BatchNormalization on a GPU: a pass in each direction, and two of sums.

The sums of a channel are split: first over each image, then over the images,
so that more blocks of threads are at work than there are channels.  They are
float32's for float16.  The forms for the CPU, which these follow, are in
:mod:`quantized_net.kernels.batch_normalization`.
"""

from chainer import backend
from chainer.backends import cuda
import numpy

# Counts, means and sums of squared differences from the mean; of two sets
# they add up so (Chan et al. 1979).
_MOMENTS = '''
struct Moments {
  U n, mean, m2;
  __device__ Moments(U n = 0, U mean = 0, U m2 = 0)
      : n(n), mean(mean), m2(m2) {}
};
__device__ inline Moments add_up(const Moments& a, const Moments& b) {
  if (a.n == 0) return b;
  if (b.n == 0) return a;
  const U n = a.n + b.n, share = b.n / n, d = b.mean - a.mean;
  return Moments(n, a.mean + d * share, a.m2 + b.m2 + d * d * a.n * share);
}
'''
_SUMS = '''
struct Sums {
  U g, gx;
  __device__ Sums(U g = 0, U gx = 0) : g(g), gx(gx) {}
};
'''


def moments(x, eps, decay, dtype, running_mean=None, running_var=None):
    """Mean and variance of each channel, and the step of the running ones.

    Args:
        x (cupy.ndarray): Shape (N, C) or (N, C, H, W).
        eps (float): Added to the variance.
        decay (float): Of the running statistics.
        dtype (numpy.dtype): Of the results: float32, or float64.
        running_mean, running_var (cupy.ndarray or None): Shape (C,), of
            that dtype; are updated.

    Returns:
        tuple: The mean, and :math:`1 / \\sqrt{\\sigma^2 + \\epsilon}`, of
        shape (C,).

    """
    xp, n_channels = backend.get_array_module(x), x.shape[1]
    n = x.size // n_channels
    number = numpy.dtype(dtype).type
    parts = (x, number(1), number(0))
    if x.ndim == 4:
        mean, m2 = xp.empty((2,) + x.shape[:2], dtype)
        cuda.reduce(
            'T x', 'U mean, U m2', 'Moments(1, (U)x, 0)', 'add_up(a, b)',
            'mean = a.mean, m2 = a.m2', '0', 'quantized_net_bn_moments',
            reduce_type='Moments', preamble=_MOMENTS)(
                x, mean, m2, axis=(2, 3))
        parts = (mean, number(n // len(x)), m2)
    if running_mean is None:
        # written, and forgotten
        running_mean, running_var = xp.zeros((2, n_channels), dtype)
    mean, inv_std = xp.empty((2, n_channels), dtype)
    cuda.reduce(
        'T x, U count, U m2, U eps, U decay, U unbiased',
        'U mean, U inv_std, U running_mean, U running_var',
        'Moments(count, (U)x, m2)', 'add_up(a, b)',
        '''mean = a.mean, inv_std = 1 / sqrt(a.m2 / a.n + eps),
        running_mean = decay * running_mean + (1 - decay) * a.mean,
        running_var = decay * running_var
            + (1 - decay) * unbiased * (a.m2 / a.n)''', '0',
        'quantized_net_bn_statistics', reduce_type='Moments',
        preamble=_MOMENTS)(
            parts[0], parts[1], parts[2], number(eps), number(decay),
            number(n / max(n - 1., 1.)), mean, inv_std, running_mean,
            running_var, axis=0)
    return mean, inv_std


def normalize(x, center, inv_std, gamma, beta, residual=None, relu=False):
    """gamma * inv_std * (x - center) + beta [+ residual] [, not below 0].

    Args:
        x, residual (cupy.ndarray): Shape (N, C) or (N, C, H, W).
        center, inv_std, gamma, beta (cupy.ndarray): Shape (C,).
        relu (bool): Whether negative results become 0; NaN stays NaN.

    Returns:
        cupy.ndarray: Same shape as ``x``.

    """
    arrays = [x] + _expand(x, center, inv_std, gamma, beta)
    inputs, added = 'T x, U center, U inv_std, U gamma, U beta', ''
    if residual is not None:
        arrays.append(residual)
        inputs, added = inputs + ', T residual', ' + (U)residual'
    return cuda.elementwise(
        inputs, 'T y', '''
        const U value = gamma * inv_std * ((U)x - center) + beta%s;
        y = (T)%s;''' % (added, '(value < 0 ? (U)0 : value)' if relu
                         else 'value'),
        'quantized_net_bn_normalize')(*arrays)


def inverse_deviation(var, eps):
    """:math:`1 / \\sqrt{var + eps}`, of the dtype of ``var``."""
    return cuda.elementwise(
        'U var, U eps', 'U inv_std', 'inv_std = 1 / sqrt(var + eps)',
        'quantized_net_bn_inv_std')(var, var.dtype.type(eps))


def gradients(x, gy, mean, inv_std, gamma, y=None, added=None,
              with_residual=False):
    """The gradients of normalizing by the batch's own moments.

    Args:
        x, gy (cupy.ndarray): Input and gradient of the output.
        mean, inv_std, gamma (cupy.ndarray): Shape (C,).
        y (cupy.ndarray or None): The output, where a ReLU followed.
        added (cupy.ndarray or None): What the gradient of ``x`` is added
            to, of its shape.
        with_residual (bool): Whether the gradient of the residual is wanted.

    Returns:
        tuple: Gradients of ``x``, ``gamma``, ``beta`` and the residual,
        ``gy`` itself where no ReLU followed, or ``None``.

    """
    xp, dtype = backend.get_array_module(x), gamma.dtype
    n = x.size // len(gamma)
    # the product with a condition: NaN in gy stays NaN, as on the CPU
    inputs, g, gys = 'T gy', '(U)gy', [gy]
    if y is not None:
        inputs, g, gys = 'T gy, T y', '((U)gy * (U)(y > (T)0))', [gy, y]
    shape = x.shape[:2] if x.ndim == 4 else x.shape[1:]
    sum_g, sum_gx = xp.empty((2,) + shape, dtype)
    cuda.reduce(
        'T x, U mean, U inv_std, ' + inputs, 'U sum_g, U sum_gx',
        'Sums(%s, %s * ((U)x - mean) * inv_std)' % (g, g),
        'Sums(a.g + b.g, a.gx + b.gx)', 'sum_g = a.g, sum_gx = a.gx', '0',
        'quantized_net_bn_sums', reduce_type='Sums', preamble=_SUMS)(
            x, *_expand(x, mean, inv_std), *gys, sum_g, sum_gx,
            axis=(2, 3) if x.ndim == 4 else 0)
    if x.ndim == 4:
        parts = sum_g, sum_gx
        sum_g, sum_gx = xp.empty((2,) + shape[1:], dtype)
        cuda.reduce(
            'U g, U gx', 'U sum_g, U sum_gx', 'Sums(g, gx)',
            'Sums(a.g + b.g, a.gx + b.gx)', 'sum_g = a.g, sum_gx = a.gx',
            '0', 'quantized_net_bn_totals', reduce_type='Sums',
            preamble=_SUMS)(*parts, sum_g, sum_gx, axis=0)
    arrays = [x, *_expand(x, mean, inv_std, gamma, sum_g, sum_gx),
              dtype.type(n), *gys]
    outputs, rest = 'T gx', ''
    if added is not None:
        arrays.append(added)
        inputs, rest = inputs + ', T added', ' + (U)added'
    body = '''
        const U g = %s, x_hat = ((U)x - mean) * inv_std;
        gx = (T)(gamma * inv_std * (g - (x_hat * sum_gx + sum_g) / count)%s);
        ''' % (g, rest)
    if with_residual and y is not None:
        outputs, body = 'T gx, T g_residual', body + 'g_residual = (T)g;'
    found = cuda.elementwise(
        'T x, U mean, U inv_std, U gamma, U sum_g, U sum_gx, U count, '
        + inputs, outputs, body, 'quantized_net_bn_gradient')(*arrays)
    gx, of_residual = found if isinstance(found, tuple) else (
        found, gy if with_residual else None)
    return gx, sum_gx, sum_g, of_residual


def _expand(x, *values):
    return [v.reshape((-1,) + (1,) * (x.ndim - 2)) for v in values]
