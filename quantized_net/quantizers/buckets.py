"""Uniform points of the range of each bucket of weights."""

import chainer
from chainer import backend

from quantized_net import functions
from quantized_net.packing import codebook as codebooks
from quantized_net.quantizers import quantizer


class Buckets(quantizer.Quantizer):

    """Rounds to :math:`2^b` uniform points of each bucket's range.

    See :func:`quantized_net.functions.uniform_buckets`.  Stochastic rounding
    draws once a forward in training, and takes the nearest where nothing is
    trained.

    Args:
        bits (int): b, from 1 to 8.
        size (int): Weights in a bucket.
        rounding (str): ``'nearest'`` or ``'stochastic'``.

    .. seealso:: Polino et al., arXiv:1802.05668, section 2

    """

    kind = 'codebook'
    name = 'buckets'

    def __init__(self, bits=4, size=256, rounding='nearest'):
        super(Buckets, self).__init__()
        if not 1 <= bits <= 8:
            raise ValueError('bits must be from 1 to 8, not %r' % (bits,))
        if size < 1:
            raise ValueError(
                'a bucket has at least one weight, not %r' % (size,))
        if rounding not in ('nearest', 'stochastic'):
            raise ValueError("rounding must be 'nearest' or 'stochastic', "
                             'not %r' % (rounding,))
        self.bits = bits
        self.size = size
        self.rounding = rounding
        self._key = None  # type: int | None

    @property
    def printable_specs(self):
        yield 'bits', self.bits
        yield 'size', self.size
        yield 'rounding', self.rounding

    def draw(self, W):
        if self.rounding == 'stochastic':
            self._key = functions.new_key()

    def forward(self, W):
        return functions.uniform_buckets(
            W, self.bits, self.size, self._key_now())

    def levels(self, W):
        raise ValueError(
            '%s has other levels in each bucket: it can not be annealed'
            % type(self).__name__)

    def encode(self, W):
        self._check_finite(W)
        xp = backend.get_array_module(W)
        buckets, low, span = functions.bucket_ranges(W, self.size)
        codes = functions.uniform_codes(
            buckets, low, span, self.bits, self._key_now())
        codes = codes.ravel()[:W.size].reshape(W.shape).astype(xp.uint8)
        table = functions.bucket_table(
            low, span, functions.uniform_points(self.bits, xp))
        return codes, codebooks.Codebook.table(
            table.astype(W.dtype), self.size, xp)

    def _key_now(self):
        return self._key if chainer.config.train else None
