"""Weights on their way to their levels."""

from chainer import backend
import numpy

_STEEPEST = 1e-30  # of the inverse slopes: its inverse is a float32


def soften(W, levels, boundaries, inverse_slope):
    """Moves values towards the levels that a quantizer gives them.

    With sorted levels :math:`l_0 < l_1 < \\dots`, the boundaries :math:`c_j`
    between :math:`l_j` and :math:`l_{j+1}`, the slope :math:`k = 1 /
    \\text{inverse\\_slope}` and the level :math:`l_i` of w:

    .. math::

        y = l_i + [r_i(w) - l_i] + [r_{i-1}(w) - l_i] \\qquad
        r_j(w) = \\text{clip}(c_j + k (w - c_j), l_j, l_{j+1})

    where a term without a boundary is left out.  Between two boundaries the
    levels are reached on ramps, one around each boundary.  With k = 1 and
    boundaries between their levels y is the weight clipped to the levels;
    for k to infinity it is the level.

    Args:
        W (:ref:`ndarray`): Latent weights, any shape.
        levels (:ref:`ndarray`): Shape (K,), or (O, K) with a row for each
            index of the first axis of ``W``; sorted, but for those of scales
            that have turned negative.
        boundaries (:ref:`ndarray`): Shape (K - 1,) or (O, K - 1); sorted.
            A weight on a boundary is of either level.
        inverse_slope (float): From 0 (the levels) to 1.

    Returns:
        :ref:`ndarray`: Same shape and dtype as ``W``.

    .. seealso:: Yin et al. (BinaryRelax), arXiv:1801.06313; Jin et al.
        (PARQ), ICML 2025, where the boundaries are the midpoints.

    """
    xp = backend.get_array_module(W)
    if levels.ndim == 2:
        return xp.stack([
            soften(*row, inverse_slope)
            for row in zip(W, levels, boundaries)])
    index = xp.searchsorted(boundaries, W.ravel()).reshape(W.shape)
    if inverse_slope <= 0:
        return levels[index]
    # steep ramps overflow in float16
    dtype = numpy.promote_types(W.dtype, numpy.float32)
    w, levels, boundaries = [
        a.astype(dtype, copy=False) for a in (W, levels, boundaries)]
    level = levels[index]
    last = len(boundaries)
    y = level.copy()
    for j in (index, index - 1):
        inside = (j >= 0) & (j < last)
        j = j.clip(0, last - 1)
        c, below, above = boundaries[j], levels[j], levels[j + 1]
        # downhill where a scale is negative
        slope = xp.where(above < below, -1, 1).astype(dtype) / dtype.type(
            max(inverse_slope, _STEEPEST))
        ramp = (c + slope * (w - c)).clip(
            xp.minimum(below, above), xp.maximum(below, above))
        y += xp.where(inside, ramp - level, 0)
    return y.astype(W.dtype, copy=False)
