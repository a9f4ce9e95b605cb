"""Which variables the compiled kernels are made for."""

import chainer
from chainer.backends import cuda
import numpy


def are_plain(*values):
    """Whether they are NumPy's, of one type, float32 or 64, and not empty.

    Args:
        values (:class:`~chainer.Variable` or :ref:`ndarray`): Those of a
            layout of cuDNN's, whose arrays Chainer does not show, are not.

    """
    arrays = _arrays(values)
    return arrays is not None and all(
        type(a) is numpy.ndarray and a.dtype == arrays[0].dtype
        and a.dtype.char in 'fd' and a.size for a in arrays)


def are_plain_on_gpu(images, vectors):
    """Whether they are CuPy's, not empty, and vectors of the type of sums.

    Args:
        images (sequence): Variables or arrays of one type, float16 to 64.
        vectors (sequence): Of one type: float32, or float64 for float64.

    """
    arrays, others = _arrays(images), _arrays(vectors)
    if not cuda.available or arrays is None or others is None:
        return False
    dtype = arrays[0].dtype
    return (
        all(isinstance(a, cuda.ndarray) and a.size for a in arrays + others)
        and dtype.char in 'efd' and all(a.dtype == dtype for a in arrays)
        and all(a.dtype == numpy.promote_types(dtype, numpy.float32)
                for a in others))


def _arrays(values):
    """Those of variables; ``None`` where a layout hides one."""
    if any(getattr(v, 'layout', None) is not None for v in values):
        return None
    return [v.array if isinstance(v, chainer.Variable) else v
            for v in values]
