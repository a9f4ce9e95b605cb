"""Incremental network quantization: weights frozen portion by portion."""

import typing

import chainer
from chainer import backend
from chainer import functions as F
import numpy

from quantized_net import functions
from quantized_net.packing import codebook as codebooks
from quantized_net.quantizers import quantizer


class INQ(quantizer.Quantizer):

    """Powers of two, which more and more of the weights are frozen at.

    The quantized weight is :func:`quantized_net.functions.inq` of the latent
    one, and of a frozen weight the value that it was frozen at:

    .. math:: y = \\begin{cases} \\text{frozen} & \\text{frozen} \\\\
                  Q(W) & \\text{else} \\end{cases}

    In training the weights that are not frozen are used as they are, to be
    trained on: the forward of a layer sees ``where(mask, frozen, W)``
    (:meth:`soften`).  What is frozen is kept here and not in W, so nothing
    that moves W (momentum, decay, a hook) can move it; the latent weight
    under it gets no gradient.  Evaluation, reports and packing see the
    quantized weights: the network that there would be if the rest were
    quantized now.

    :meth:`freeze` takes the largest magnitudes first, among those that are
    not frozen yet.  :class:`quantized_net.extensions.FreezePortions` calls it
    while a Trainer runs.

    Args:
        bits (int): b, from 2 to 8: one for zero, so :math:`2^{b-2}`
            magnitudes.

    Attributes:
        n1 (int): The largest exponent, of the weights that the first
            training step or :meth:`freeze` meets; fixed from then on.
        frozen (:ref:`ndarray` or None): Of the shape of W: the values of
            frozen weights, NaN where a weight is not frozen.

    .. seealso:: Zhou et al., arXiv:1702.03044

    """

    kind = 'powers'
    name = 'inq'

    n1: int
    frozen: typing.Any

    def __init__(self, bits=5):
        super(INQ, self).__init__()
        if not 2 <= bits <= 8:
            raise ValueError('bits must be from 2 to 8, not %r' % (bits,))
        self.bits = bits
        self.add_persistent('n1', 0)
        self.add_persistent('frozen', None)
        self.add_persistent('initialized', False)

    @property
    def printable_specs(self):
        yield 'bits', self.bits

    def allocate(self, W):
        if self.frozen is None:
            self.frozen = backend.get_array_module(W).full_like(W, numpy.nan)

    def initialize_from(self, W):
        if not self.initialized:
            self.n1 = functions.largest_exponent(W)
            self.frozen = backend.get_array_module(W).full_like(W, numpy.nan)
            self.initialized = True

    def mask(self, W):
        """Where weights are frozen (booleans of the shape of ``W``)."""
        return ~self.xp.isnan(self._frozen_like(W))

    def freeze(self, W, portion):
        """Freezes the largest weights that are not frozen yet.

        Args:
            W (:ref:`ndarray`): Latent weights.
            portion (float): Share of all weights that are frozen then, from
                0 to 1, those among them that were; ``round(portion *
                W.size)``.  Ties go in the order of the array.

        Raises:
            ValueError: For weights that are NaN or infinite.

        """
        self._check_finite(W)
        self.initialize_from(W)
        cpu = backend.CpuDevice()
        frozen = cpu.send(self._frozen_like(W)).copy().ravel()
        is_free = numpy.isnan(frozen)
        n = int(round(portion * W.size)) - int((~is_free).sum())
        if n <= 0:
            return
        # the same choice on every device
        magnitude = numpy.where(is_free, abs(cpu.send(W)).ravel(), -1)
        chosen = numpy.argsort(-magnitude, kind='stable')[:n]
        with chainer.no_backprop_mode():
            values = functions.inq(cpu.send(W), self.bits, self.n1).array
        frozen[chosen] = values.ravel()[chosen]
        self.frozen = self.device.send(frozen.reshape(W.shape))

    @property
    def is_softened(self):
        return chainer.config.train

    def soften(self, W):
        W = chainer.as_variable(W)
        if not chainer.config.train:
            return self(W)
        return self._with_frozen(W, W)

    def forward(self, W):
        W = chainer.as_variable(W)
        return self._with_frozen(
            W, functions.inq(W, self.bits, self._n1(W.array)))

    def levels(self, W):
        xp = backend.get_array_module(W)
        powers = functions.inq_magnitudes(self.bits, self._n1(W))
        begins = functions.inq_boundaries(powers)
        return (xp.array([-p for p in powers[::-1]] + [0.] + powers, W.dtype),
                xp.array([-b for b in begins[::-1]] + begins, W.dtype))

    def encode(self, W):
        n1 = self._n1(W)
        return self._nearest_codes(W, codebooks.Codebook.powers(
            n1 + 1 - 2 ** (self.bits - 2), n1, W.dtype,
            backend.get_array_module(W)))

    def copy(self, mode='share'):
        copied = super(INQ, self).copy(mode)
        if self.frozen is not None:
            copied.frozen = self.frozen.copy()
        return copied

    def _n1(self, W):
        return self.n1 if self.initialized else functions.largest_exponent(W)

    def _frozen_like(self, W):
        """What is frozen, for weights that it is of."""
        if self.frozen is None or not self.initialized:
            return backend.get_array_module(W).full_like(W, numpy.nan)
        if self.frozen.shape != W.shape:
            raise ValueError(
                'what is frozen has the shape %s and the weight %s; this %s '
                'is of another layer' % (
                    self.frozen.shape, W.shape, type(self).__name__))
        frozen = self.device.send(self.frozen)
        return frozen.astype(W.dtype, copy=False)

    def _with_frozen(self, W, other):
        frozen = self._frozen_like(W.array)
        return F.where(self.xp.isnan(frozen), other, frozen)
