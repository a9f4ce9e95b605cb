"""Values scaled bucket by bucket, and rounded there."""

from chainer import backend
from chainer import function_node
from chainer.utils import type_check
import numpy

from quantized_net.functions import straight_through
from quantized_net.kernels import fixed_point as kernels

_LEAST_RANGE = 1e-10


def bucket_ranges(W, size):
    """The least value and the range of each bucket.

    Buckets are ``size`` values in a row of the flattened array; the last may
    have less.

    Args:
        W (:ref:`ndarray`): Floats, any shape, at least one.
        size (int): Of a bucket.

    Returns:
        tuple: W in buckets, of shape (B, size), where the last value fills
        the last bucket; :math:`\\beta` and :math:`\\alpha`, the least value
        and the range, of shape (B, 1).  A range below 1e-10 is 1.  All are
        float32, or float64 for float64.

    .. seealso:: Polino et al., arXiv:1802.05668, section 2.2

    """
    xp = backend.get_array_module(W)
    flat = W.ravel().astype(
        numpy.promote_types(W.dtype, numpy.float32), copy=False)
    n = -flat.size % size
    if n:
        flat = xp.concatenate([flat, xp.broadcast_to(flat[-1:], (n,))])
    buckets = flat.reshape(-1, size)
    low = buckets.min(axis=1, keepdims=True)
    with numpy.errstate(invalid='ignore', over='ignore'):
        span = buckets.max(axis=1, keepdims=True) - low
    return buckets, low, xp.where(span < _LEAST_RANGE, 1, span).astype(
        flat.dtype)


def bucket_table(low, span, points):
    """The values that points stand for in each bucket.

    .. math:: \\beta + \\alpha p_j

    Args:
        low, span (:ref:`ndarray`): :math:`\\beta, \\alpha`, shape (B, 1).
        points (:ref:`ndarray`): p, shape (K,).

    Returns:
        :ref:`ndarray`: Shape (B, K).

    """
    with numpy.errstate(invalid='ignore', over='ignore'):
        return low + span * points.astype(low.dtype)


def uniform_points(bits, xp=numpy):
    """:math:`2^b` points from 0 to 1 (float64).

    The paper counts one more, s + 1 points; its code has these.
    """
    return xp.arange(2 ** bits) / (2 ** bits - 1)


def uniform_codes(buckets, low, span, bits, key=None):
    """The places of values among the uniform points of their buckets.

    Args:
        buckets, low, span (:ref:`ndarray`): As :func:`bucket_ranges` gives
            them.
        bits (int): b, up to 16.
        key (int or None): Of random rounding; ``None`` takes the nearest,
            and the lower of two.

    Returns:
        :ref:`ndarray`: Whole floats from 0 to :math:`2^b - 1`, shape (B,
        size); NaN where the bucket has one.

    """
    top = 2 ** bits - 1
    with numpy.errstate(invalid='ignore'):  # infinities
        scaled = (buckets - low) / span * low.dtype.type(top)
    return kernels.to_multiples(scaled, 1., 0, top, key)


def from_table(table, codes, like):
    """What codes stand for, in the shape and dtype of an array."""
    xp = backend.get_array_module(table)
    values = xp.take_along_axis(table, codes, axis=1)
    return values.ravel()[:like.size].reshape(like.shape).astype(
        like.dtype, copy=False)


class _Buckets(straight_through.StraightThroughFunction):

    def __init__(self, bits, size, key):
        super(_Buckets, self).__init__(clip_value=None)
        self.bits = bits
        self.size = size
        self.key = key

    def quantize(self, x):
        if x.size == 0:
            return x.copy()
        xp = backend.get_array_module(x)
        buckets, low, span = bucket_ranges(x, self.size)
        codes = uniform_codes(buckets, low, span, self.bits, self.key)
        is_nan = xp.isnan(codes)
        table = bucket_table(low, span, uniform_points(self.bits, xp))
        y = from_table(table, xp.where(is_nan, 0, codes).astype('i'), x)
        is_nan = is_nan.ravel()[:x.size].reshape(x.shape)
        return xp.where(is_nan, x.dtype.type(numpy.nan), y)


def uniform_buckets(W, bits, size=256, key=None):
    """Rounds to uniform points of the range of each bucket.

    .. math::

        \\hat v = \\frac{v - \\beta}{\\alpha} \\qquad
        y = \\beta + \\alpha \\frac{\\text{round}((2^b - 1) \\hat v)}{2^b - 1}

    with :math:`\\beta` the least value of the bucket and :math:`\\alpha` its
    range.  At random, the point above is taken with the probability of the
    fraction.  The gradient passes straight through.  A bucket with a NaN or
    an infinity becomes NaN.

    Args:
        W (~chainer.Variable): Floats, any shape.
        bits (int): b, from 1 to 16.
        size (int): Of a bucket.
        key (int or None): Of random rounding
            (:func:`quantized_net.functions.new_key`).

    Returns:
        ~chainer.Variable: Same shape and dtype as ``W``.

    .. seealso:: Polino et al., arXiv:1802.05668, section 2.1 and 2.2

    """
    return _Buckets(bits, size, key).apply((W,))[0]


def nearest_points(buckets, low, span, points):
    """The places of values among sorted points; the lower of two."""
    xp = backend.get_array_module(buckets)
    points = points.astype(low.dtype)
    middles = (points[1:] + points[:-1]) / 2
    with numpy.errstate(invalid='ignore'):
        scaled = (buckets - low) / span
    return xp.searchsorted(middles, scaled.ravel()).reshape(buckets.shape)


class _Points(function_node.FunctionNode):

    def __init__(self, size):
        self.size = size

    def check_type_forward(self, in_types):
        type_check._argname(in_types, ('W', 'points'))
        W, points = in_types
        type_check.expect(W.dtype.kind == 'f', points.dtype.kind == 'f',
                          points.ndim == 1)

    def forward(self, inputs):
        W, points = inputs
        xp = backend.get_array_module(W)
        if W.size == 0:
            return W.copy(),
        buckets, low, span = bucket_ranges(W, self.size)
        order = xp.argsort(points)
        table = bucket_table(low, span, points[order])
        codes = nearest_points(buckets, low, span, points[order])
        # what fills the last bucket up has no gradient
        self.n_points, self.dtype = len(points), points.dtype
        self.indexes = order[codes].ravel()[:W.size]
        self.span = xp.broadcast_to(span, buckets.shape).ravel()[:W.size]
        return from_table(table, codes, W),

    def backward(self, indexes, gys):
        g, = gys
        return g, _PointsGrad(
            self.indexes, self.span, self.n_points, self.dtype).apply(
                (g,))[0]


class _PointsGrad(function_node.FunctionNode):

    """The gradient of the points, linear in gy."""

    def __init__(self, indexes, span, n_points, dtype):
        self.indexes = indexes
        self.span = span
        self.n_points = n_points
        self.dtype = dtype

    def forward(self, inputs):
        g = inputs[0].ravel()
        xp = backend.get_array_module(g)
        sums = xp.bincount(
            self.indexes, (self.span * g).astype('d'), self.n_points)
        return sums.astype(self.dtype),

    def backward(self, indexes, ggs):
        raise NotImplementedError(
            'the nearest points have no second derivative')


def nearest_of_points(W, points, size=256):
    """Rounds to the nearest of some points of the range of each bucket.

    With :math:`\\hat v = (v - \\beta) / \\alpha` as in
    :func:`uniform_buckets`, and j(i) the point that is nearest to
    :math:`\\hat v_i`:

    .. math::

        y_i = \\beta + \\alpha p_{j(i)} \\qquad
        \\frac{\\partial L}{\\partial p_j} =
        \\sum_{i: j(i) = j} \\alpha \\frac{\\partial L}{\\partial y_i}

    The gradient passes straight through to W.  The points may be in any
    order; the paper's code sorts them after each step, which is the same but
    for the momentum, which follows its point here.

    Args:
        W (~chainer.Variable): Floats, any shape.
        points (~chainer.Variable): p, shape (K,).
        size (int): Of a bucket.

    Returns:
        ~chainer.Variable: Same shape and dtype as ``W``.

    .. seealso:: Polino et al., arXiv:1802.05668, section 4

    """
    return _Points(size).apply((W, points))[0]
