"""Clipping in place."""

import numpy

from quantized_net.kernels import native


def clip(x, low, high):
    """Moves what is outside to the bound, in place; NaN stays NaN.

    Args:
        x (numpy.ndarray): Floats, any shape.
        low, high (float): The bounds.

    """
    if native.takes(x) and x.flags.c_contiguous:
        native.call('clip', x, x.size, low, high)
    else:
        reference(x, low, high)


def reference(x, low, high):
    """The NumPy form."""
    numpy.clip(x, low, high, out=x)
