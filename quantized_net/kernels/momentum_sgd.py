"""The update of momentum SGD with weight decay, in one pass."""

from quantized_net.kernels import native


def momentum_sgd_update(x, g, v, lr, momentum, decay):
    """Moves x and its velocity, in place.

    .. math::

        v &\\leftarrow \\mu v - \\eta (g + \\lambda x) \\\\
        x &\\leftarrow x + v

    The result is that of Chainer's weight decay and update, to the last bit.

    Args:
        x, g, v (numpy.ndarray): Parameter, gradient and velocity: float32 or
            float64, C-contiguous, of one shape.
        lr, momentum, decay (float): :math:`\\eta, \\mu, \\lambda`.

    """
    if native.takes(x):
        call(native.library(), x, g, v, lr, momentum, decay)
    else:
        reference(x, g, v, lr, momentum, decay)


def call(library, x, g, v, *scalars):
    """The compiled form."""
    library.quantized_net_momentum_sgd(
        x.ctypes.data, g.ctypes.data, v.ctypes.data, x.size, *scalars)


def reference(x, g, v, lr, momentum, decay):
    """The NumPy form."""
    total = g + x.dtype.type(decay) * x if decay else g
    v *= momentum
    v -= lr * total
    x += v
