"""The convolution of small codes: its sums are whole numbers, and exact."""

import collections

from chainer import backend
import numpy

from quantized_net.kernels import convolution
from quantized_net.kernels import layout
from quantized_net.kernels import native

# What a uniform grid is: multiples of a step, how many at most on a side.
Grid = collections.namedtuple('Grid', 'step largest')

_POINT = convolution.Geometry((1, 1), (1, 1), (0, 0), (1, 1), 1)

# Whole numbers of float32, their sums among them, are exact up to here.
_LARGEST = 1 << 24


def grids_of(x_grid, W_grid, n_terms):
    """Two grids, where sums of products are exact in float32 and small.

    Args:
        x_grid (Grid or None): Of the one side.
        W_grid (Grid or None): Of the other; ``None`` for ternary weights.
        n_terms (int): Products in a sum.

    Returns:
        tuple or None: ``(x_grid, W_grid)``, or ``None`` where there is none
        for x, or codes take more than a byte, or sums are not exact.

    """
    if x_grid is None:
        return None
    largest = [x_grid.largest, 1 if W_grid is None else W_grid.largest]
    if max(largest) > 128 or largest[0] * largest[1] * n_terms > _LARGEST:
        return None
    return x_grid, W_grid


def convolve(x, W, b, geometry, out_size, grids):
    """The convolution of codes times their steps.

    With the steps s and t of the two grids and the whole numbers k and l of
    which x and W are multiples, an output is :math:`(s t) \\sum k l + b`.
    Without a grid for W, each of its filters has two values besides zero,
    u and v, and

    .. math:: y = (s u) \\sum_{W = u} k + (s v) \\sum_{W = v} k + b

    or, where they are negatives of each other, :math:`s u` times the
    difference of the sums.  The sums are exact; each other operation is
    rounded once, in this order, in all forms.

    Args:
        x (numpy.ndarray): Images, shape (N, C, H, W).
        W (numpy.ndarray): Weights, shape (O, C / groups, kh, kw).
        b (numpy.ndarray or None): Biases, shape (O,).
        geometry (Geometry): As of :func:`convolution.convolution`.
        out_size (tuple): H', W'.
        grids (tuple): As :func:`grids_of` gives them.

    Returns:
        numpy.ndarray or None: Shape (N, O, H', W'), channels-last where
        compiled; ``None`` where the values are others, NaN among them.

    """
    x_grid, W_grid = grids
    if native.takes(x, W, b):
        y = layout.empty((len(x), len(W)) + tuple(out_size))
        if native.call(
                'convolve_codes',
                convolution.sizes(x.shape, y.shape, geometry),
                layout.channels_last(x), numpy.ascontiguousarray(W),
                None if b is None else numpy.ascontiguousarray(b),
                layout.channels_last(y), float(x_grid.step),
                float(W_grid.step if W_grid else 0)):
            return y
    if not are_codes(x, W, grids):
        return None
    y = reference(x, W, grids, lambda x, W: convolution.convolution(
        x, W, None, geometry, out_size, exact=True))
    if b is not None:
        y += b[:, None, None]
    return y


def multiply(x, W, b, grids):
    """The product of two matrices of codes, as :func:`convolve` has it.

    Args:
        x (numpy.ndarray): Shape (M, K).
        W (numpy.ndarray): Shape (N, K).
        b (numpy.ndarray or None): Biases, shape (N,).
        grids (tuple): As there.

    Returns:
        numpy.ndarray or None: Shape (M, N); ``None`` as there.

    """
    if x.size == 0:
        return None
    # a row is a pixel
    y = convolve(
        x.T[None, :, None], W[:, :, None, None], b, _POINT, (1, len(x)),
        grids)
    return None if y is None else numpy.ascontiguousarray(y[0, :, 0].T)


def are_codes(x, W, grids):
    """Whether arrays on the CPU hold what their grids promise."""
    x_grid, W_grid = grids
    if not _is_on(x, x_grid):
        return False
    if W_grid is not None:
        return _is_on(W, W_grid)
    high, low = _two_values(W)
    W = W.reshape(len(W), -1)
    return bool(numpy.isfinite(W).all()
                and ((W == 0) | (W == high) | (W == low)).all())


def _is_on(a, grid):
    codes = a / a.dtype.type(grid.step)
    return bool((abs(codes) <= grid.largest).all()  # which NaN is not
                and (numpy.rint(codes) == codes).all())


def reference(x, W, grids, product):
    """The form for arrays of any device, without the bias.

    Args:
        x, W, grids: As of :func:`convolve` or :func:`multiply`.
        product: What convolves or multiplies two arrays, float32 or float64,
            and is exact for whole numbers.

    Returns:
        :ref:`ndarray`: What it gives, of the dtype of ``x``; its axis 1 is
        axis 0 of W.  A filter of others than two values and zero is NaN.

    """
    xp = backend.get_array_module(x)
    x_grid, W_grid = grids
    dtype = numpy.promote_types(x.dtype, numpy.float32)
    one = dtype.type
    x_codes = _codes(x, x_grid, dtype)
    if W_grid is not None:
        y = product(x_codes, _codes(W, W_grid, dtype))
        step = one(x_grid.step) * one(W_grid.step)
        return (y if step == 1 else y * step).astype(x.dtype, copy=False)
    high, low = _two_values(W)
    flat = W.reshape(len(W), -1)
    is_high, is_low = flat == high, (flat == low) & (low != high)
    fits = (is_high | is_low | (flat == 0)).all(axis=1, keepdims=True)
    high = xp.where(fits, high, numpy.nan).astype(dtype)
    of_high, of_low = [
        part.astype(dtype).reshape(W.shape) for part in (is_high, is_low)]
    n_terms = x_grid.largest * flat.shape[1]
    shift = 1 << (2 * n_terms).bit_length()
    if shift * n_terms < _LARGEST:
        # both sums in one
        both = product(x_codes, of_high + of_low * one(shift))
        sum_low = xp.rint(both / one(shift))
        sum_high = both - sum_low * one(shift)
    else:
        sum_high, sum_low = [product(x_codes, w) for w in (of_high, of_low)]
    shape = (-1,) + (1,) * (sum_high.ndim - 2)
    high, low = [a.astype(dtype).reshape(shape) * one(x_grid.step)
                 for a in (high, low)]
    y = xp.where(low == -high, high * (sum_high - sum_low),
                 high * sum_high + low * sum_low)
    return y.astype(x.dtype, copy=False)


def _codes(a, grid, dtype):
    a = a.astype(dtype, copy=False)
    return a if grid.step == 1 else a / dtype.type(grid.step)


def _two_values(W):
    """The largest and the smallest value of each filter besides zero.

    Of shape (O, 1); 0 where there are none, and NaN where one is.
    """
    xp = backend.get_array_module(W)
    W = W.reshape(len(W), -1)
    infinity = W.dtype.type(numpy.inf)
    high = xp.where(W != 0, W, -infinity).max(axis=1, keepdims=True)
    low = xp.where(W != 0, W, infinity).min(axis=1, keepdims=True)
    has_none = high < low
    return [xp.where(has_none, W.dtype.type(0), a) for a in (high, low)]
