"""The update of momentum SGD with weight decay, in one pass."""

from quantized_net.kernels import native


def momentum_sgd_update(x, g, v, lr, momentum, decay, nesterov=False):
    """Moves x and its velocity, in place.

    .. math::

        v &\\leftarrow \\mu v - \\eta (g + \\lambda x) \\\\
        x &\\leftarrow x + v

    With Nesterov's momentum the last line is :math:`x \\leftarrow x + \\mu v
    - \\eta (g + \\lambda x)`.  Without it the result is that of Chainer's
    weight decay and update, to the last bit.

    Args:
        x, g, v (numpy.ndarray): Parameter, gradient and velocity: float32 or
            float64, C-contiguous, of one shape.
        lr, momentum, decay (float): :math:`\\eta, \\mu, \\lambda`.
        nesterov (bool): Whether the momentum is Nesterov's.

    """
    if native.takes(x):
        call(native.library(), x, g, v, lr, momentum, decay, nesterov)
    else:
        reference(x, g, v, lr, momentum, decay, nesterov)


def call(library, x, g, v, lr, momentum, decay, nesterov=False):
    """The compiled form."""
    library.quantized_net_momentum_sgd(
        x.ctypes.data, g.ctypes.data, v.ctypes.data, x.size, lr, momentum,
        decay, nesterov)


def reference(x, g, v, lr, momentum, decay, nesterov=False):
    """The NumPy form."""
    step = lr * (g + x.dtype.type(decay) * x if decay else g)
    v *= momentum
    v -= step
    x += momentum * v - step if nesterov else v
