"""Points of quantization that are trained."""

import chainer
from chainer import backend
from chainer import initializer
import numpy

from quantized_net import functions
from quantized_net.packing import codebook as codebooks
from quantized_net.quantizers import quantizer


class _Even(initializer.Initializer):

    """Evenly from 0 to 1."""

    def __call__(self, array):
        xp = backend.get_array_module(array)
        array[...] = xp.linspace(0, 1, len(array), dtype=array.dtype)


class Points(quantizer.Quantizer):

    """Rounds to the nearest of trained points, scaled bucket by bucket.

    See :func:`quantized_net.functions.nearest_of_points`.  The points start
    at the quantiles of the scaled weights, when training starts; until then,
    what only looks has them evenly from 0 to 1.

    Args:
        bits (int): Of a code, from 1 to 8: :math:`2^b` points, unless
            :meth:`set_number` says otherwise.
        size (int): Weights in a bucket.
        most (int or None): The largest number of points that there may be,
            up to 256; :math:`2^b`, if ``None``.

    Attributes:
        points (~chainer.Parameter): p, of shape (most,); the first
            ``n_points`` are used.

    .. seealso:: Polino et al., arXiv:1802.05668, section 4

    """

    kind = 'codebook'
    name = 'points'

    def __init__(self, bits=4, size=256, most=None):
        super(Points, self).__init__()
        if not 1 <= bits <= 8:
            raise ValueError('bits must be from 1 to 8, not %r' % (bits,))
        if size < 1:
            raise ValueError(
                'a bucket has at least one weight, not %r' % (size,))
        most = 2 ** bits if most is None else most
        if not 2 ** bits <= most <= 256:
            raise ValueError(
                'most must be from %d to 256, not %r' % (2 ** bits, most))
        self.size = size
        self._bits = bits
        self.add_persistent('n_points', 2 ** bits)
        self.add_persistent('initialized', False)
        with self.init_scope():
            self.points = chainer.Parameter(_Even(numpy.float32), (most,))

    @property
    def bits(self):  # type: ignore[override]
        return max((self.n_points - 1).bit_length(), 1)

    @property
    def printable_specs(self):
        yield 'bits', self._bits
        yield 'size', self.size
        yield 'most', len(self.points)

    def set_number(self, n_points):
        """Sets how many points there are, before training starts.

        Args:
            n_points (int): From 2 to ``most``.

        """
        if not 2 <= n_points <= len(self.points):
            raise ValueError('from 2 to %d points, not %r' % (
                len(self.points), n_points))
        self.n_points = n_points
        self.initialized = False

    def initialize_from(self, W):
        if self.initialized:
            return
        buckets, low, span = functions.bucket_ranges(
            backend.CpuDevice().send(W), self.size)
        scaled = ((buckets - low) / span).ravel()[:W.size]
        self.points.array[:self.n_points] = self.device.send(
            numpy.quantile(scaled, numpy.linspace(0, 1, self.n_points))
            .astype(self.points.dtype))
        self.initialized = True

    def forward(self, W):
        return functions.nearest_of_points(
            W, chainer.as_variable(self.points)[:self.n_points], self.size)

    def levels(self, W):
        raise ValueError(
            '%s has other levels in each bucket: it can not be annealed'
            % type(self).__name__)

    def encode(self, W):
        self._check_finite(W)
        xp = backend.get_array_module(W)
        points = xp.sort(self.points.array[:self.n_points])
        buckets, low, span = functions.bucket_ranges(W, self.size)
        codes = functions.nearest_points(buckets, low, span, points)
        codes = codes.ravel()[:W.size].reshape(W.shape).astype(xp.uint8)
        return codes, codebooks.Codebook.table(
            functions.bucket_table(low, span, points).astype(W.dtype),
            self.size, xp)
