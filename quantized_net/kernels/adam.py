"""The update of Adam in one pass."""

import numpy

from quantized_net.kernels import native

# Elements of a block: four arrays of them and a scratch array fit the
# second-level cache of today's processors.
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
        x, g, m, v (numpy.ndarray): Parameter, gradient and moments: all
            float32 or all float64, C-contiguous, of one shape.
        one_minus_beta1, one_minus_beta2, eps, alpha_t, eta (float): As in
            :class:`chainer.optimizers.Adam`; ``alpha_t`` with its bias
            correction.

    .. seealso:: Kingma and Ba, arXiv:1412.6980.

    """
    scalars = one_minus_beta1, one_minus_beta2, eps, alpha_t, eta
    library = native.library()
    if library is not None and x.dtype == numpy.float32:
        call(library, x, g, m, v, *scalars)
    else:
        reference(x, g, m, v, *scalars)


def call(library, x, g, m, v, *scalars):
    """The compiled form."""
    library.quantized_net_adam(
        *[a.ctypes.data for a in (x, g, m, v)], x.size, *scalars)


def reference(x, g, m, v, one_minus_beta1, one_minus_beta2, eps, alpha_t,
              eta):
    """The NumPy form, in blocks that stay in the cache."""
    x, g, m, v = [a.reshape(-1) for a in (x, g, m, v)]
    scratch = numpy.empty(min(x.size, _BLOCK), x.dtype)
    for start in range(0, x.size, _BLOCK):
        block = slice(start, start + _BLOCK)
        x_, g_, m_, v_ = x[block], g[block], m[block], v[block]
        t = scratch[:x_.size]
        numpy.subtract(g_, m_, out=t)
        t *= one_minus_beta1
        m_ += t
        numpy.multiply(g_, g_, out=t)
        t -= v_
        t *= one_minus_beta2
        v_ += t
        numpy.sqrt(v_, out=t)
        t += eps
        numpy.divide(alpha_t, t, out=t)
        t *= m_
        t *= eta
        x_ -= t
