"""Binary weights with a scale for each filter."""

from chainer import backend

from quantized_net import functions
from quantized_net.quantizers import quantizer


class BWN(quantizer.Quantizer):

    """Binary-Weight-Networks: the signs, times a filter's mean magnitude.

    See :func:`quantized_net.functions.scaled_sign`.

    Args:
        gradient (str): ``'paper'`` or ``'straight'``.

    .. seealso:: Rastegari et al., arXiv:1603.05279

    """

    bits = 1
    kind = 'codebook'
    name = 'bwn'

    def __init__(self, gradient='paper'):
        super(BWN, self).__init__()
        if gradient not in ('paper', 'straight'):
            raise ValueError(
                "gradient must be 'paper' or 'straight', not %r"
                % (gradient,))
        self.gradient = gradient

    @property
    def printable_specs(self):
        yield 'gradient', self.gradient

    def forward(self, W):
        return functions.scaled_sign(W, self.gradient)

    def scales(self, W):
        alpha = functions.sign_scales(W).ravel()
        return alpha, alpha

    def levels(self, W):
        xp = backend.get_array_module(W)
        alpha = self.scales(W)[0]
        return (xp.stack([-alpha, alpha], axis=-1),
                xp.zeros((len(alpha), 1), W.dtype))

    def encode(self, W):
        self._check_finite(W)
        xp = backend.get_array_module(W)
        return (W >= 0).astype(xp.uint8), self.levels(W)[0]
