"""Learned step size quantization."""

import numpy

import chainer
from chainer import backend
from chainer import functions as F
from chainer import initializers

from quantized_net import functions
from quantized_net.quantizers import quantizer

_LEAST = 2. ** -16  # of the steps; float16 has it


class LSQ(quantizer.Quantizer):

    """Weights of b bits: multiples of a step that is trained.

    See :func:`quantized_net.functions.learned_step`.  The multiples are
    :math:`-2^{b-1}, \\dots, 2^{b-1} - 1`; at one bit, which the paper does
    not have, -1 and 1, and the gradient passes everywhere.

    The step starts from the weights, at :math:`2 \\, \\text{mean} |W| /
    \\sqrt{Q_P}` (one bit: at the mean, which is the best scale of signs),
    when training starts.  Its gradient is multiplied by :math:`1 / \\sqrt{N
    Q_P}` with the number N of the weights.  It is kept at or above
    :math:`2^{-16}` (:func:`quantized_net.functions.positive_step`).

    The paper trains with momentum SGD, for which that factor is made; under
    Adam it means nothing, and a step then needs a rate of its own.

    Args:
        bits (int): b, from 1 to 16.

    Attributes:
        step (~chainer.Parameter): Of shape ().

    .. seealso:: Esser et al., arXiv:1902.08153

    """

    kind = 'uniform'
    name = 'lsq'

    def __init__(self, bits=4):
        super(LSQ, self).__init__()
        if bits not in range(1, 17):
            raise ValueError('bits must be from 1 to 16, not %r' % (bits,))
        self.bits = bits
        self.low, self.high = self._bounds()
        if self.low == -self.high:  # signs
            self.kind = 'codebook'
        with self.init_scope():
            self.step = chainer.Parameter(
                initializers.Constant(1., numpy.float32), ())
        self.add_persistent('initialized', False)

    def _bounds(self):
        if self.bits == 1:
            return -1, 1
        return -2 ** (self.bits - 1), 2 ** (self.bits - 1) - 1

    @property
    def printable_specs(self):
        yield 'bits', self.bits

    @property
    def _is_sign(self):
        return self.kind == 'codebook'

    def initialize_from(self, W):
        if not self.initialized:
            self.step.array[...] = self._first_step(W)
            self.initialized = True

    def forward(self, W):
        W = chainer.as_variable(W)
        step = self.positive_step(W.array)
        if self._is_sign:
            return functions.sign(W, None) * F.broadcast_to(step, W.shape)
        return functions.learned_step(W, step, self.low, self.high)

    def positive_step(self, W):
        """The step for an array, a variable of shape () and its dtype."""
        step = self.step if self.initialized else self._first_step(W)
        n = max(self._count(W), 1)
        step = functions.positive_step(
            step, _LEAST, (n * self.high) ** -.5)
        return F.cast(step, W.dtype)

    def scales(self, W):
        if not self._is_sign:
            return None
        step = self.positive_step(W).array
        return step, step

    def encode(self, W):
        self._check_finite(W)
        xp = backend.get_array_module(W)
        step = self.positive_step(W).array
        if self._is_sign:
            return (W >= 0).astype(xp.uint8), xp.stack([-step, step])
        wide = numpy.promote_types(W.dtype, numpy.float32)
        codes = xp.rint((W.astype(wide) / step.astype(wide)).clip(
            self.low, self.high)) - self.low
        codebook = functions.learned_step_values(
            xp.arange(self.low, self.high + 1).astype(wide), step, W.dtype)
        return codes.astype(
            xp.uint8 if self.bits <= 8 else xp.uint16), codebook

    def _count(self, W):
        return W.size

    def _first_step(self, W):
        """What the step starts with, of shape () (float32)."""
        xp = backend.get_array_module(W)
        mean = xp.abs(W).sum(dtype=numpy.promote_types(
            W.dtype, numpy.float32)) / max(W.size, 1)
        first = mean if self._is_sign else 2 * mean / self.high ** .5
        # all zeros say nothing of a step
        return xp.where(first == 0, 1, first).astype(numpy.float32)


class LSQActivation(LSQ):

    """Activations of b bits: multiples of a step that is trained.

    As :class:`LSQ`, but the multiples are :math:`0, \\dots, 2^b - 1`, which
    is for what comes out of a ReLU, and N is the number of an example's
    features.

    Args:
        bits (int): b, from 1 to 16.
        signed (bool): Whether the multiples are those of weights, for an
            input with negative values; then b is from 2.

    .. seealso:: Esser et al., arXiv:1902.08153

    """

    name = 'lsq_activation'

    def __init__(self, bits=4, signed=False):
        if signed and bits == 1:
            raise ValueError('signed activations take 2 bits or more')
        self._signed = signed
        super(LSQActivation, self).__init__(bits)

    def _bounds(self):
        if self._signed:
            return super(LSQActivation, self)._bounds()
        return 0, 2 ** self.bits - 1

    @property
    def printable_specs(self):
        yield 'bits', self.bits
        yield 'signed', self._signed

    def _count(self, x):
        return x.size // max(len(x), 1)
