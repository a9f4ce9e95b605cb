"""The update of Adam in one pass."""

import numpy

from quantized_net.kernels import many_arrays
from quantized_net.kernels import native

# Elements of a block: four arrays of them and what is computed of them fit
# the second-level cache of today's processors.
_BLOCK = 1 << 15


def adam_update(x, g, m, v, one_minus_beta1, one_minus_beta2, eps, alpha_t,
                eta):
    """Moves x and its two moments, in place.

    .. math::

        m &\\leftarrow m + (1 - \\beta_1)(g - m) \\\\
        v &\\leftarrow v + (1 - \\beta_2)(g^2 - v) \\\\
        x &\\leftarrow x - \\eta \\alpha_t m / (\\sqrt{v} + \\epsilon)

    The result is that of Chainer's update to the last bit.

    Args:
        x, g, m, v (numpy.ndarray): Parameter, gradient and moments, of one
            shape; the compiled form takes float32, C-contiguous.
        one_minus_beta1, one_minus_beta2, eps, alpha_t, eta (float): As in
            :class:`chainer.optimizers.Adam`; ``alpha_t`` with its bias
            correction.

    .. seealso:: Kingma and Ba, arXiv:1412.6980.

    """
    scalars = one_minus_beta1, one_minus_beta2, eps, alpha_t, eta
    if not native.call('adam', x, g, m, v, x.size, *scalars):
        reference(x, g, m, v, *scalars)


def adam_updates(updates):
    """:func:`adam_update` of many parameters.

    Args:
        updates (list of tuple): The arguments of each; arrays that are
            CuPy's have to be fit (:func:`many_arrays.are_fit`).

    """
    many_arrays.update(updates, adam_update, cuda_form)


def reference(x, g, m, v, one_minus_beta1, one_minus_beta2, eps, alpha_t,
              eta):
    """The NumPy form, in blocks that stay in the cache."""
    for x_, g_, m_, v_ in _blocks(x, g, m, v):
        m_ += one_minus_beta1 * (g_ - m_)
        v_ += one_minus_beta2 * (g_ * g_ - v_)
        x_ -= eta * (alpha_t / (numpy.sqrt(v_) + eps) * m_)


# The CUDA form.
cuda_form = many_arrays.Kernel(
    'quantized_net_adam', 'x g m v',
    'one_minus_beta1 one_minus_beta2 eps alpha_t eta', '''
    const T first = m[i] + one_minus_beta1 * (g[i] - m[i]);
    const T second = v[i] + one_minus_beta2 * (g[i] * g[i] - v[i]);
    m[i] = first;
    v[i] = second;
    x[i] -= eta * (alpha_t * first / (sqrt(second) + eps));''')


def _blocks(*arrays):
    """The arrays, or their blocks where they can be flat without a copy."""
    if not all(a.flags.c_contiguous and a.shape == arrays[0].shape
               for a in arrays):
        return [arrays]
    flat = [a.reshape(-1) for a in arrays]
    return [[a[start:start + _BLOCK] for a in flat]
            for start in range(0, flat[0].size, _BLOCK)]
