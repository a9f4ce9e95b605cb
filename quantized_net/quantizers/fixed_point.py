"""Fixed point numbers, for values and for the errors that come back."""

import chainer
from chainer import backend

from quantized_net import functions
from quantized_net.packing import codebook as codebooks
from quantized_net.quantizers import quantizer

ROUNDINGS = 'stochastic', 'nearest'


class FixedPoint(quantizer.Quantizer):

    """Rounds to fixed point numbers <IL, FL>, in training at random.

    See :func:`quantized_net.functions.fixed_point`.  Where nothing is trained
    it rounds to the nearest, half a step to the even multiple
    (:func:`quantized_net.functions.linear_quant`).

    As the quantizer of a layer's input it can round the error, too: the
    gradient that the layer hands down, to another <IL, FL>.  The loss is a
    mean over the batch; the error of one example is what is rounded: a
    gradient's one is 1 / N for N examples.

    Args:
        il, fl (int): Bits before the point, the sign among them, and behind.
        rounding (str): ``'stochastic'`` or ``'nearest'``.
        error (pair of int or None): IL and FL of the gradient.

    .. seealso:: Gupta et al., arXiv:1502.02551

    """

    kind = 'uniform'
    name = 'fixed_point'

    def __init__(self, il=2, fl=14, rounding='stochastic', error=None):
        super(FixedPoint, self).__init__()
        functions.check_format(il, fl)
        if error is not None:
            functions.check_format(*error)
        if il + fl > 16:
            raise ValueError(
                'codes have up to 16 bits, not %d' % (il + fl))
        if rounding not in ROUNDINGS:
            raise ValueError("rounding must be 'stochastic' or 'nearest', "
                             'not %r' % (rounding,))
        self.il = il
        self.fl = fl
        self.bits = il + fl
        self.step = 2. ** -fl
        self.rounding = rounding
        self.error = error
        self._key = None  # type: int | None

    @property
    def printable_specs(self):
        yield 'il', self.il
        yield 'fl', self.fl
        yield 'rounding', self.rounding
        yield 'error', self.error

    def draw(self, array):
        self._key = self._new_key()

    def forward(self, x):
        if not chainer.config.train:
            highest = 2. ** (self.il - 1)
            return functions.linear_quant(
                x, self.step, -highest, highest - self.step, clip_value=None)
        y = functions.fixed_point(x, self.il, self.fl, self._key)
        if self.error is None:
            return y
        return functions.quantize_gradient(y, self._round_error)

    def levels(self, W):
        xp = backend.get_array_module(W)
        half = 2 ** (self.bits - 1)
        levels = xp.arange(-half, half).astype(W.dtype) * W.dtype.type(
            self.step)
        return levels, (levels[1:] + levels[:-1]) / 2

    def encode(self, W):
        return self._nearest_codes(W, codebooks.Codebook.uniform(
            -2. ** (self.il - 1), self.step, 2 ** self.bits, W.dtype,
            backend.get_array_module(W)))

    def _round_error(self, g):
        unit = 1. / max(len(g), 1) if g.ndim else 1.
        il, fl = self.error
        return functions.fixed_point(g, il, fl, self._new_key(), unit)

    def _new_key(self):
        return functions.new_key() if self.rounding == 'stochastic' else None
