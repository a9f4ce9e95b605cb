"""Powers of two."""

from chainer import backend

from quantized_net import functions
from quantized_net.packing import codebook as codebooks
from quantized_net.quantizers import quantizer


class LogQuant(quantizer.Quantizer):

    """Rounds to powers of two, to zero and their negatives.

    With b bits the magnitudes are the :math:`2^{b-1} - 1` powers of two up
    to :math:`2^{\\text{max\\_exponent}}`, and zero.  Without ``bits`` there
    is no lower limit, as in the QNN repository that this project follows;
    one code then takes the 8 bits of a float's exponent (float32).

    Args:
        bits (int or None): From 2 to 8, or ``None`` for no lower limit.
        max_exponent (int): The largest exponent.
        clip_value (float or None): Where the gradient is cut off.

    .. seealso:: :func:`quantized_net.functions.log_quant`,
        arXiv:1609.07061

    """

    kind = 'powers'
    name = 'log'

    def __init__(self, bits=None, max_exponent=0, clip_value=1.0):
        super(LogQuant, self).__init__()
        if bits is not None and not 2 <= bits <= 8:
            raise ValueError('bits must be from 2 to 8, not %r' % (bits,))
        if not -126 <= max_exponent <= 0 and bits is None:
            raise ValueError(
                'max_exponent must be from -126 to 0 without bits, not %r'
                % (max_exponent,))
        self.bits = 8 if bits is None else bits
        self.min_exponent = (
            None if bits is None else max_exponent - 2 ** (bits - 1) + 2)
        self.max_exponent = max_exponent
        self.clip_value = clip_value

    @property
    def printable_specs(self):
        yield 'bits', None if self.min_exponent is None else self.bits
        yield 'max_exponent', self.max_exponent
        yield 'clip_value', self.clip_value

    @property
    def _lowest(self):
        return -126 if self.min_exponent is None else self.min_exponent

    def forward(self, W):
        return functions.log_quant(
            W, self.min_exponent, self.max_exponent, self.clip_value)

    def levels(self, W):
        xp = backend.get_array_module(W)
        # made on the host: CuPy's exp2 need not be exact
        powers = [2.0 ** e for e in range(self._lowest, self.max_exponent + 1)]
        # the exponent is rounded: half a power below each
        bounds = [p / 2 ** .5 for p in powers]
        return (xp.array([-p for p in powers[::-1]] + [0.0] + powers,
                         W.dtype),
                xp.array([-b for b in bounds[::-1]] + bounds, W.dtype))

    def encode(self, W):
        return self._nearest_codes(W, codebooks.Codebook.powers(
            self._lowest, self.max_exponent, W.dtype,
            backend.get_array_module(W)))
