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

    The random numbers of an array are those of the last :meth:`draw` for one
    of its shape; where there was none, it is the sign that is taken.  A
    quantized layer draws in each forward.  On its own, call ``draw(x)``
    before each use, or take :func:`quantized_net.functions.stochastic_sign`.

    .. seealso:: :func:`quantized_net.functions.stochastic_sign`,
        arXiv:1602.02830

    """

    kind = 'binary'
    name = 'stochastic_sign'

    _drawn = None  # from [0, 1); of no snapshot: every forward draws anew

    def draw(self, array):
        self._drawn = self.xp.random.random_sample(array.shape)

    def forward(self, W):
        drawn = self._drawn_for(chainer.as_variable(W).array)
        if drawn is None:
            return super(StochasticSign, self).forward(W)
        return functions.stochastic_sign(W, self.clip_value, drawn)

    def encode(self, W):
        codes, codebook = super(StochasticSign, self).encode(W)
        drawn = self._drawn_for(W)
        if drawn is not None:
            xp = backend.get_array_module(W)
            codes = (2 * drawn - 1 < W).astype(xp.uint8)
        return codes, codebook

    def _drawn_for(self, array):
        """The random numbers for an array, or ``None`` for the sign."""
        drawn = self._drawn
        if not chainer.config.train or drawn is None or (
                drawn.shape != array.shape or backend.get_array_module(drawn)
                is not backend.get_array_module(array)):
            return None
        return drawn
