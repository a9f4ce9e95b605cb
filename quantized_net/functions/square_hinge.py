"""The loss of BinaryConnect and of binarized neural networks."""

from chainer import functions as F
from chainer import backend
import numpy


def square_hinge(y, t):
    """The mean of the squared hinge losses of all classes.

    .. math::

        L = \\frac{1}{N C} \\sum_{n, c} \\max(0, 1 - s_{nc} y_{nc})^2
        \\qquad s_{nc} = \\begin{cases} +1 & c = t_n \\\\
                                        -1 & \\text{otherwise} \\end{cases}

    :func:`chainer.functions.hinge` with ``norm='L2'`` is C times that.  In
    float16 the mean is taken in float32.

    Args:
        y (~chainer.Variable): Outputs, floats, shape (N, C).
        t (:class:`~chainer.Variable` or :ref:`ndarray`): Labels from 0 to
            C - 1, shape (N,).

    Returns:
        ~chainer.Variable: Shape (), of the dtype of ``y``.

    .. seealso:: Courbariaux et al., arXiv:1511.00363, section 3.1, and the
        code of it and of arXiv:1602.02830, which take this mean.

    """
    t = getattr(t, 'array', t)
    xp = backend.get_array_module(t)
    wide = numpy.promote_types(y.dtype, numpy.float32)
    signs = xp.where(
        t[:, None] == xp.arange(y.shape[1]), 1, -1).astype(y.dtype)
    margins = F.cast(F.relu(1 - signs * y), wide)
    return F.cast(F.mean(margins * margins), y.dtype)
