"""Clipping in place."""

import numpy

from chainer import backend

from quantized_net.kernels import many_arrays
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


def clip_all(arrays, low, high):
    """:func:`clip` of many arrays, on a GPU in a few launches.

    Args:
        arrays (list of :ref:`ndarray`): Floats, any shapes.
        low, high (float): The bounds.

    """
    on_gpu = []
    for x in arrays:
        if many_arrays.are_fit(x):
            on_gpu.append((x, low, high))
        elif isinstance(x, numpy.ndarray):
            clip(x, low, high)
        else:
            with x.device:
                reference(x, low, high)
    if on_gpu:
        cuda_form(on_gpu)


def reference(x, low, high):
    """The NumPy form, and CuPy's."""
    backend.get_array_module(x).clip(x, low, high, out=x)


# The CUDA form.
cuda_form = many_arrays.Kernel(
    'quantized_net_clip', 'x', 'low high',
    'x[i] = x[i] < low ? low : (x[i] > high ? high : x[i]);')
