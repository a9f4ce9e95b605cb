"""One bit: the sign."""

import chainer
from chainer import backend

from quantized_net import functions
from quantized_net.packing import codebook as codebooks
from quantized_net.quantizers import quantizer


class Sign(quantizer.Quantizer):

    """Binarizes to -1 and +1 (:func:`quantized_net.functions.sign`).

    Args:
        clip_value (float or None): Where the gradient is cut off; ``None``
            passes it everywhere.

    .. seealso:: arXiv:1602.02830

    """

    bits = 1
    kind = 'binary'
    name = 'sign'

    def __init__(self, clip_value=1.0):
        super(Sign, self).__init__()
        self.clip_value = clip_value

    @property
    def printable_specs(self):
        yield 'clip_value', self.clip_value

    def forward(self, W):
        return functions.sign(W, self.clip_value)

    def levels(self, W):
        xp = backend.get_array_module(W)
        return xp.array([-1, 1], W.dtype), xp.zeros(1, W.dtype)

    def encode(self, W):
        self._check_finite(W)
        xp = backend.get_array_module(W)
        return (W >= 0).astype(xp.uint8), codebooks.Codebook.table(
            xp.array([-1, 1], W.dtype), xp=xp)


class StochasticSign(Sign):

    """Binarizes at random while training, by the sign when not.

    .. seealso:: :func:`quantized_net.functions.stochastic_sign`

    """

    kind = 'binary'
    name = 'stochastic_sign'

    def forward(self, W):
        if chainer.config.train:
            return functions.stochastic_sign(W, self.clip_value)
        return super(StochasticSign, self).forward(W)
