"""Trained ternary quantization."""

import numpy

import chainer
from chainer import backend

from quantized_net import functions
from quantized_net.quantizers import quantizer


class TTQ(quantizer.Quantizer):

    """Three values, of which two are trained.

    See :func:`quantized_net.functions.ternary` for the values and gradients.

    Args:
        threshold (float): t of :math:`\\Delta = t \\max |W|`, in (0, 1).
        sparsity (float or None): Constant share of zeros in [0, 1), instead
            of the threshold; it is met anew at every step.
        learn_scales (bool): Whether ``Wp`` and ``Wn`` are trained, or stay
            at their initial value.
        initial_scale (float): Of both.
        gradient_of_Wn (str): ``'true'``, or ``'paper_eq7'``: the sign that
            the paper prints.
        reduction (str): ``'sum'`` or ``'mean'`` over the index sets, in the
            gradients of the scales.  Under Adam the two coincide but for its
            epsilon.

    Attributes:
        Wp, Wn (~chainer.Parameter): The scales, of shape ().

    .. seealso:: Zhu et al., arXiv:1612.01064

    """

    bits = 2
    kind = 'ternary'
    name = 'ttq'

    def __init__(self, threshold=0.05, sparsity=None, learn_scales=True,
                 initial_scale=1.0, gradient_of_Wn='true', reduction='sum'):
        super(TTQ, self).__init__()
        if not 0 < threshold < 1:
            raise ValueError(
                'threshold must be in (0, 1), not %r' % (threshold,))
        if sparsity is not None and not 0 <= sparsity < 1:
            raise ValueError(
                'sparsity must be in [0, 1), not %r' % (sparsity,))
        self.threshold = threshold
        self.sparsity = sparsity
        self.learn_scales = learn_scales
        self.gradient_of_Wn = gradient_of_Wn
        self.reduction = reduction
        scale = numpy.array(initial_scale, numpy.float32)
        if learn_scales:
            with self.init_scope():
                self.Wp = chainer.Parameter(scale.copy())
                self.Wn = chainer.Parameter(scale.copy())
        else:
            self.add_persistent('Wp', scale.copy())
            self.add_persistent('Wn', scale.copy())

    @property
    def printable_specs(self):
        if self.sparsity is None:
            yield 'threshold', self.threshold
        else:
            yield 'sparsity', self.sparsity
        yield 'learn_scales', self.learn_scales
        yield 'gradient_of_Wn', self.gradient_of_Wn
        yield 'reduction', self.reduction

    def delta(self, W):
        """The threshold for an array of latent weights, of shape ()."""
        if self.sparsity is None:
            return functions.max_threshold(W, self.threshold)
        return functions.quantile_threshold(W, self.sparsity)

    def forward(self, W):
        W = chainer.as_variable(W)
        Wp, Wn = [self._cast(s, W) for s in (self.Wp, self.Wn)]
        return functions.ternary(
            W, Wp, Wn, self.delta(W.array), self.gradient_of_Wn,
            self.reduction)

    @staticmethod
    def _cast(scale, W):
        if scale.dtype == W.dtype:
            return scale
        return chainer.functions.cast(scale, W.dtype)

    def encode(self, W):
        xp = backend.get_array_module(W)
        delta = self.delta(W)
        codes = (W > delta).astype(xp.uint8) * xp.uint8(2)
        codes += (W < -delta).astype(xp.uint8)
        scales = [xp.asarray(getattr(s, 'array', s)).astype(W.dtype)
                  for s in (self.Wn, self.Wp)]
        return codes, xp.stack([xp.zeros((), W.dtype), -scales[0], scales[1]])
