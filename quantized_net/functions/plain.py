"""Which variables the compiled kernels are made for."""

import chainer
import numpy


def are_plain(*values):
    """Whether they are NumPy's, of one type, float32 or 64, and not empty.

    Args:
        values (:class:`~chainer.Variable` or :ref:`ndarray`): Those of a
            layout of cuDNN's, whose arrays Chainer does not show, are not.

    """
    if any(getattr(v, 'layout', None) is not None for v in values):
        return False
    arrays = [v.array if isinstance(v, chainer.Variable) else v
              for v in values]
    return all(
        type(a) is numpy.ndarray and a.dtype == arrays[0].dtype
        and a.dtype.char in 'fd' and a.size for a in arrays)
