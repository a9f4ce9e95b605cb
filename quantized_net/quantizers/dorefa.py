"""The quantizers of DoReFa-Net."""

import numpy

from chainer import backend

from quantized_net import functions
from quantized_net.functions.dorefa import check_bits
from quantized_net.quantizers import quantizer


class _Bits(quantizer.Quantizer):

    def __init__(self, bits):
        super(_Bits, self).__init__()
        check_bits(bits)
        self.bits = bits

    @property
    def printable_specs(self):
        yield 'bits', self.bits

    def _codes_of_bits(self, codes):
        return codes.astype(numpy.uint8 if self.bits <= 8 else numpy.uint16)


class DoReFa(_Bits):

    """Weights of k bits: odd multiples of a step, from -1 to 1.

    See :func:`quantized_net.functions.dorefa_weight`.  At one bit the values
    are the mean magnitude and its negative.

    Args:
        bits (int): From 1 to 16.

    .. seealso:: Zhou et al., arXiv:1606.06160

    """

    kind = 'uniform'
    name = 'dorefa'

    def __init__(self, bits=2):
        super(DoReFa, self).__init__(bits)
        if bits == 1:
            self.kind = 'codebook'

    @property
    def step(self):
        """What its values are multiples of; ``None`` for one bit."""
        return None if self.bits == 1 else 1 / (2 ** self.bits - 1)

    def forward(self, W):
        return functions.dorefa_weight(W, self.bits)

    def scales(self, W):
        if self.bits > 1:
            return None
        scale = functions.dorefa_scale(W)
        return scale, scale

    def levels(self, W):
        xp = backend.get_array_module(W)
        if self.bits == 1:
            scale = functions.dorefa_scale(W)
            return xp.stack([-scale, scale]), xp.zeros(1, W.dtype)
        n = 2 ** self.bits - 1
        wide = numpy.promote_types(W.dtype, numpy.float32)
        levels = functions.dorefa_values(
            xp.arange(n + 1).astype(wide), self.bits, W.dtype)
        # where tanh W / (2 max) + 1 / 2 is half a step above a code
        largest = xp.abs(xp.tanh(W.astype(wide))).max()
        bounds = xp.arctanh(
            (2 * xp.arange(n).astype(wide) + 1 - n) / n * largest)
        return levels, bounds.astype(W.dtype)

    def encode(self, W):
        self._check_finite(W)
        return (self._codes_of_bits(functions.dorefa_codes(W, self.bits)),
                self.levels(W)[0])


class DoReFaActivation(_Bits):

    """Activations of k bits: uniform levels from 0 to 1.

    See :func:`quantized_net.functions.dorefa_activation`.

    Args:
        bits (int): From 1 to 16.

    .. seealso:: Zhou et al., arXiv:1606.06160

    """

    kind = 'uniform'
    name = 'dorefa_activation'

    def __init__(self, bits=2):
        super(DoReFaActivation, self).__init__(bits)
        self.step = 1 / (2 ** bits - 1)

    def forward(self, x):
        return functions.dorefa_activation(x, self.bits)

    def encode(self, x):
        self._check_finite(x)
        xp = backend.get_array_module(x)
        n = 2 ** self.bits - 1
        wide = numpy.promote_types(x.dtype, numpy.float32)
        codes = xp.rint(x.clip(0, 1).astype(wide) * n)
        return self._codes_of_bits(codes), (
            xp.arange(n + 1).astype(wide) / n).astype(x.dtype)


class DoReFaGradient(_Bits):

    """Quantizes the gradient at a layer's output, at random.

    See :func:`quantized_net.functions.dorefa_gradient`.  Forward it is
    the identity: a layer that has it as ``gradient_quantizer`` puts it
    behind its output.

    Args:
        bits (int): From 1 to 16.

    .. seealso:: Zhou et al., arXiv:1606.06160

    """

    is_identity = True
    name = 'dorefa_gradient'

    def __init__(self, bits=6):
        super(DoReFaGradient, self).__init__(bits)

    def forward(self, x):
        return functions.dorefa_gradient(x, self.bits)
