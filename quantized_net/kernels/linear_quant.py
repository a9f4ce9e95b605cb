"""Rounding to the multiples of a step."""

from chainer.backends import cuda
import numpy


def to_steps(x, step, low, high):
    """The multiples of a step that are nearest, within bounds.

    On the boundary: half a step goes to the even multiple; NaN stays NaN; an
    infinity becomes its bound.

    Args:
        x (:ref:`ndarray`): Floats, any shape.
        step, low, high (float): The step, and the least and the greatest
            result.

    Returns:
        :ref:`ndarray`: Same shape and dtype as ``x``.

    """
    step, low, high = [x.dtype.type(v) for v in (step, low, high)]
    form = reference if isinstance(x, numpy.ndarray) else cuda_form
    return form(x, step, low, high)


def reference(x, step, low, high):
    """The NumPy form."""
    y = numpy.divide(x, step, out=numpy.empty_like(x))
    numpy.rint(y, out=y)
    y *= step
    return numpy.clip(y, low, high, out=y)


def cuda_form(x, step, low, high):
    """The CUDA form."""
    # comparisons, not fmin and fmax: NaN stays NaN as in NumPy
    return cuda.elementwise(
        'T x, T step, T low, T high', 'T y',
        '''
        T r = (T)rint(x / step) * step;
        y = r < low ? low : (r > high ? high : r);
        ''', 'quantized_net_linear_quant')(x, step, low, high)
