"""The update of momentum SGD with weight decay, in one pass."""


from quantized_net.kernels import many_arrays
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
        x, g, v (numpy.ndarray): Parameter, gradient and velocity, of one
            shape; the compiled form takes float32, C-contiguous.
        lr, momentum, decay (float): :math:`\\eta, \\mu, \\lambda`.
        nesterov (bool): Whether the momentum is Nesterov's.

    """
    if not native.call('momentum_sgd', x, g, v, x.size, lr, momentum, decay,
                       bool(nesterov)):
        reference(x, g, v, lr, momentum, decay, nesterov)


def momentum_sgd_updates(updates):
    """:func:`momentum_sgd_update` of many parameters.

    Args:
        updates (list of tuple): The arguments of each; arrays that are
            CuPy's have to be fit (:func:`many_arrays.are_fit`).

    """
    many_arrays.update(updates, momentum_sgd_update, cuda_form)


def reference(x, g, v, lr, momentum, decay, nesterov=False):
    """The NumPy form."""
    step = lr * (g + x.dtype.type(decay) * x if decay else g)
    v *= momentum
    v -= step
    x += momentum * v - step if nesterov else v


# The CUDA form.
cuda_form = many_arrays.Kernel(
    'quantized_net_momentum_sgd', 'x g v', 'lr momentum decay nesterov', '''
    const T step = lr * (decay != 0 ? g[i] + decay * x[i] : g[i]);
    const T velocity = momentum * v[i] - step;
    v[i] = velocity;
    x[i] += nesterov != 0 ? momentum * velocity - step : velocity;''')
