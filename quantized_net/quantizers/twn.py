"""Ternary weight networks."""

from chainer import backend

from quantized_net import functions
from quantized_net.packing import codebook as codebooks
from quantized_net.quantizers import quantizer


class TWN(quantizer.Quantizer):

    """Three values whose scale follows from the weights.

    See :func:`quantized_net.functions.twn`.

    Args:
        threshold (float): Factor of the mean magnitude, above 0.
        per_filter (bool): One threshold and scale for each filter.

    .. seealso:: Li et al., arXiv:1605.04711

    """

    bits = 2
    kind = 'ternary'
    name = 'twn'

    def __init__(self, threshold=0.7, per_filter=False):
        super(TWN, self).__init__()
        if not threshold > 0:
            raise ValueError(
                'threshold must be above 0, not %r' % (threshold,))
        self.threshold = threshold
        self.per_filter = per_filter

    @property
    def printable_specs(self):
        yield 'threshold', self.threshold
        yield 'per_filter', self.per_filter

    def forward(self, W):
        return functions.twn(W, self.threshold, self.per_filter)

    def scales(self, W):
        _, alpha = functions.twn_codes(W, self.threshold, self.per_filter)
        if self.per_filter:
            alpha = alpha.ravel()
        return alpha, alpha

    def levels(self, W):
        xp = backend.get_array_module(W)
        alpha = self.scales(W)[0]
        _, delta = functions.twn_threshold(
            W, self.threshold, self.per_filter)
        delta = xp.asarray(delta).astype(W.dtype).reshape(alpha.shape)
        return (xp.stack([-alpha, xp.zeros_like(alpha), alpha], axis=-1),
                xp.stack([-delta, delta], axis=-1))

    def encode(self, W):
        self._check_finite(W)
        xp = backend.get_array_module(W)
        codes, alpha = functions.twn_codes(
            W, self.threshold, self.per_filter)
        alpha = alpha.ravel()
        values = xp.stack([xp.zeros_like(alpha), -alpha, alpha], axis=1)
        # -1 becomes 1, and 1 becomes 2: zero is the code 0
        codes = xp.abs(codes).astype(xp.uint8) + (codes > 0).astype(xp.uint8)
        return codes, codebooks.Codebook.table(
            values if self.per_filter else values[0], xp=xp)
