"""b bits on a uniform grid."""

from chainer import backend

from quantized_net import functions
from quantized_net.packing import codebook as codebooks
from quantized_net.quantizers import quantizer


class LinearQuant(quantizer.Quantizer):

    """Rounds to 2^bits uniform levels on [-1, 1).

    The step is :math:`2^{1 - bits}`, the levels run from -1 to one step
    below 1, zero among them.

    Args:
        bits (int): From 2 to 16.
        clip_value (float or None): Where the gradient is cut off.

    .. seealso:: :func:`quantized_net.functions.linear_quant`,
        arXiv:1609.07061

    """

    kind = 'uniform'
    name = 'linear'

    def __init__(self, bits=8, clip_value=1.0):
        super(LinearQuant, self).__init__()
        if not 2 <= bits <= 16:
            raise ValueError('bits must be from 2 to 16, not %r' % (bits,))
        self.bits = bits
        self.step = 2.0 ** (1 - bits)
        self.clip_value = clip_value

    @property
    def printable_specs(self):
        yield 'bits', self.bits
        yield 'clip_value', self.clip_value

    @property
    def grid(self):
        if self.kind != 'uniform':  # a subclass with values of its own
            return None
        return functions.Grid(self.step, 2 ** (self.bits - 1))

    def forward(self, W):
        return functions.linear_quant(
            W, self.step, -1.0, 1.0 - self.step, self.clip_value)

    def levels(self, W):
        xp = backend.get_array_module(W)
        half = 2 ** (self.bits - 1)
        levels = xp.arange(-half, half).astype(W.dtype) * W.dtype.type(
            self.step)
        return levels, (levels[1:] + levels[:-1]) / 2

    def encode(self, W):
        return self._nearest_codes(W, codebooks.Codebook.uniform(
            -1, self.step, 2 ** self.bits, W.dtype,
            backend.get_array_module(W)))
