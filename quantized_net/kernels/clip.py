"""Clipping in place."""

from chainer import backend

from quantized_net.kernels import native


def clip(x, low, high):
    """Moves what is outside to the bound, in place.

    On the boundary: NaN stays NaN; an infinity is outside.

    Args:
        x (:ref:`ndarray`): Floats, any shape.
        low, high (float): The bounds.

    """
    if not native.call('clip', x, x.size, low, high):
        reference(x, low, high)


def reference(x, low, high):
    """The NumPy form, and CuPy's."""
    backend.get_array_module(x).clip(x, low, high, out=x)
