"""What every quantizer answers.

To add a method, subclass :class:`Quantizer`, write ``forward`` (its maths
belong in ``quantized_net/functions``) and ``encode``, set ``bits``, and list
the options in ``printable_specs``.  Learned scalars are parameters, made in
``init_scope``; masks and counters are persistent values.  Layers, summary,
plots and packing need no more than this.
"""

import numpy

import chainer
from chainer import backend


class Quantizer(chainer.Link):

    """Base class of the quantizers: a link that maps W to quantized W.

    Attributes:
        bits (int): Bits of one code.

    """

    bits = 32

    def forward(self, W):
        """Quantizes.

        Args:
            W (~chainer.Variable): Latent values, any shape.

        Returns:
            ~chainer.Variable: Quantized values of the same shape, with the
            method's gradient to ``W`` and to the quantizer's parameters.

        """
        raise NotImplementedError

    def encode(self, W):
        """Returns small integers and the values that they stand for.

        ``decode(codes, codebook)`` equals ``quantizer(W).array`` exactly.

        Args:
            W (:ref:`ndarray`): Latent values.

        Returns:
            tuple: ``codes``, integers below ``2 ** bits`` in the shape of
            ``W``; and ``codebook``, of shape (K,), or (O, K) with a row for
            each index of the first axis of ``W``.

        """
        raise NotImplementedError

    def _check_finite(self, W):
        """Refuses weights that no codes stand for."""
        if not bool(backend.get_array_module(W).isfinite(W).all()):
            raise ValueError(
                '%s can not encode weights that are NaN or infinite'
                % type(self).__name__)

    def _nearest_codes(self, W, codebook):
        """Codes into a sorted codebook that holds every quantized value."""
        self._check_finite(W)
        xp = backend.get_array_module(W)
        with chainer.no_backprop_mode():
            quantized = self(W).array
        codes = xp.searchsorted(codebook, quantized.ravel())
        codes = codes.reshape(W.shape)
        dtype = numpy.uint8 if len(codebook) <= 256 else numpy.uint16
        return codes.astype(dtype), codebook


def decode(codes, codebook):
    """The values of codes, from a codebook of shape (K,) or (O, K)."""
    if codebook.ndim == 1:
        return codebook[codes]
    xp = backend.get_array_module(codebook)
    rows = xp.arange(len(codebook)).reshape((-1,) + (1,) * (codes.ndim - 1))
    return codebook[rows, codes]
