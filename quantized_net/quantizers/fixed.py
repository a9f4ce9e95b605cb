"""Weights that are codes already."""

import chainer
from chainer import backend
import numpy

from quantized_net.quantizers import quantizer


class Fixed(quantizer.Quantizer):

    """Leaves the weights, which came as codes and a codebook out of a file.

    :func:`quantized_net.load_packed` gives it to the layers of a model.  Its
    forward is the identity, and so is its gradient; ``encode`` answers with
    the codes of the file, for as long as the weights are theirs.

    Args:
        codes (numpy.ndarray): Codes, of the shape of the weights.
        codebook (~quantized_net.packing.Codebook): Their values.

    """

    name = 'fixed'

    def __init__(self, codes, codebook):
        super(Fixed, self).__init__()
        self.add_persistent('codes', codes)
        self.codebook = codebook
        n = len(codebook)
        self.bits = max((n - 1).bit_length(), 1)
        values = numpy.atleast_2d(codebook.values)
        if codebook.rule != 'table':
            self.kind = codebook.rule
        elif n == 2 and bool((abs(values) == 1).all() and (
                values[:, 0] != values[:, 1]).all()):
            self.kind = 'binary'
        elif n == 3 and bool(((numpy.sort(values) == 0)[:, 1]).all()):
            self.kind = 'ternary'

    @property
    def printable_specs(self):
        yield 'bits', self.bits
        yield 'kind', self.kind

    def forward(self, W):
        return chainer.as_variable(W)

    def scales(self, W):
        if self.kind != 'ternary':
            return None
        # (R, 3), or (1, 3) for a table of one row
        values = numpy.atleast_2d(self.codebook.values)
        xp = backend.get_array_module(W)
        is_one = self.codebook.values.ndim == 1
        found = [xp.asarray(v[0] if is_one else v).astype(W.dtype)
                 for v in (values.max(axis=1), -values.min(axis=1))]
        return found if is_one or self.codebook.run is None else None

    def encode(self, W):
        self._check_finite(W)
        xp = backend.get_array_module(W)
        codebook = self.codebook.on(xp, xp.asarray)
        if self.codes.shape != W.shape or not bool(
                (codebook[self.codes] == W).all()):
            raise ValueError(
                'the weights have changed since they were loaded as codes')
        return self.codes, codebook
