"""Trained ternary quantization."""

import contextlib
import threading

import numpy

import chainer
from chainer import backend
from chainer import functions as F
from chainer import initializers

from quantized_net import functions
from quantized_net.packing import codebook as codebooks
from quantized_net.quantizers import quantizer


class _Known(threading.local):

    """Thresholds by the identity of the weights; with these, and t."""

    thresholds = {}  # type: dict


_known = _Known()


@contextlib.contextmanager
def thresholds_at_once(layers):
    """Takes the thresholds of many layers together, on a GPU.

    It is three launches for all of them, in the place of one for each.  In
    the ``with`` block their weights must not be changed: the block is one
    forward pass, as in :class:`quantized_net.links.Classifier`.

    Args:
        layers (iterable of ~chainer.Link): Those with a weight ``W`` and a
            ``weight_quantizer`` that is a :class:`TTQ` with a threshold are
            looked at.

    """
    weights = {}  # type: dict
    for layer in layers:
        ttq = getattr(layer, 'weight_quantizer', None)
        if isinstance(ttq, TTQ) and ttq.sparsity is None:
            W = layer.W.array
            if W is not None and not isinstance(W, numpy.ndarray):
                weights.setdefault(ttq.threshold, []).append(W)
    before, _known.thresholds = _known.thresholds, {
        id(W): (W, t, delta) for t, Ws in weights.items() if len(Ws) > 1
        for W, delta in zip(Ws, functions.max_thresholds(Ws, t))}
    try:
        yield
    finally:
        _known.thresholds = before


class TTQ(quantizer.Quantizer):

    """Three values, of which two are trained.

    See :func:`quantized_net.functions.ternary` for the values and gradients.

    The paper trains the scales themselves, from 1.  Trained weights are far
    smaller, and a network that adds its layers up (a residual one) then
    begins far from the float function.  With ``scales='relative'`` the
    trained factors are relative to what the weights are at the start:

    .. math::

        W_p = a_p s_p \\qquad W_n = a_n s_n

    where :math:`a_p` and :math:`a_n` are the mean magnitudes of the weights
    above :math:`\\Delta` and below :math:`-\\Delta` (1 where there are none)
    when training starts, fixed from then on, and :math:`s_p` and :math:`s_n`
    are trained.  The latent gradient keeps its proportions: it is
    :math:`s_p g` and :math:`s_n g` in the place of :math:`W_p g` and
    :math:`W_n g`; and :math:`\\partial L / \\partial s_p = a_p \\sum_{I_p} g`,
    :math:`\\partial L / \\partial s_n = -a_n \\sum_{I_n} g`.  This form is
    this library's own.

    Nothing keeps a scale above zero, unless an optimizer has the hook
    ``WeightClip(1e-4, math.inf, ['Wp', 'Wn'])`` (``--positive-scales``).

    Args:
        threshold (float): t of :math:`\\Delta = t \\max |W|`, in (0, 1).
        sparsity (float or None): Constant share of zeros in [0, 1), instead
            of the threshold; it is met anew at every step.
        learn_scales (bool): Whether the scales are trained, or stay at their
            initial value.
        initial_scale (float): Of both.
        gradient_of_Wn (str): ``'true'``, or ``'paper_eq7'``: the sign that
            the paper prints.
        reduction (str): ``'sum'`` or ``'mean'`` over the index sets, in the
            gradients of the scales.  Under Adam the two coincide but for its
            epsilon.
        scales (str): ``'absolute'``, or ``'relative'``.

    Attributes:
        Wp, Wn (~chainer.Parameter): The absolute scales, of shape ().
        s_p, s_n (~chainer.Parameter): The factors of relative scales, of
            shape ().
        a_p, a_n (:ref:`ndarray`): What these are relative to, of shape ();
            of no meaning until ``initialized``.

    .. seealso:: Zhu et al., arXiv:1612.01064

    """

    bits = 2
    kind = 'ternary'
    name = 'ttq'

    def __init__(self, threshold=0.05, sparsity=None, learn_scales=True,
                 initial_scale=1.0, gradient_of_Wn='true', reduction='sum',
                 scales='absolute'):
        super(TTQ, self).__init__()
        if not 0 < threshold < 1:
            raise ValueError(
                'threshold must be in (0, 1), not %r' % (threshold,))
        if sparsity is not None and not 0 <= sparsity < 1:
            raise ValueError(
                'sparsity must be in [0, 1), not %r' % (sparsity,))
        if scales not in ('absolute', 'relative'):
            raise ValueError(
                "scales must be 'absolute' or 'relative', not %r" % (scales,))
        self.threshold = threshold
        self.sparsity = sparsity
        self.learn_scales = learn_scales
        self.gradient_of_Wn = gradient_of_Wn
        self.reduction = reduction
        self.relative = scales == 'relative'
        for name in ('s_p', 's_n') if self.relative else ('Wp', 'Wn'):
            self._add_scale(name, initial_scale)
        if self.relative:
            self.add_persistent('a_p', numpy.ones((), numpy.float32))
            self.add_persistent('a_n', numpy.ones((), numpy.float32))
            self.add_persistent('initialized', False)

    def _add_scale(self, name, value):
        if not self.learn_scales:
            self.add_persistent(name, numpy.array(value, numpy.float32))
            return
        with self.init_scope():
            setattr(self, name, chainer.Parameter(
                initializers.Constant(value, numpy.float32), ()))

    @property
    def printable_specs(self):
        if self.sparsity is None:
            yield 'threshold', self.threshold
        else:
            yield 'sparsity', self.sparsity
        yield 'learn_scales', self.learn_scales
        yield 'gradient_of_Wn', self.gradient_of_Wn
        yield 'reduction', self.reduction
        yield 'scales', 'relative' if self.relative else 'absolute'

    def delta(self, W):
        """The threshold for an array of latent weights, of shape ()."""
        if self.sparsity is None:
            known = _known.thresholds.get(id(W))
            if known is not None and known[0] is W and (
                    known[1] == self.threshold):
                return known[2]
            return functions.max_threshold(W, self.threshold)
        return functions.quantile_threshold(W, self.sparsity)

    def initialize_from(self, W):
        if not self.initialized:
            self.a_p, self.a_n = self._mean_magnitudes(W, self.delta(W))
            self.initialized = True

    def forward(self, W):
        W = chainer.as_variable(W)
        delta = self.delta(W.array)
        Wp, Wn = self._scales(W.array, delta)
        factors = None
        if self.relative:
            factors = [chainer.as_variable(s).array.astype(W.dtype)
                       for s in (self.s_p, self.s_n)]
        return functions.ternary(
            W, Wp, Wn, delta, self.gradient_of_Wn, self.reduction, factors)

    def scales(self, W):
        Wp, Wn = self._scales(W, self.delta(W))
        return Wp.array, Wn.array

    def levels(self, W):
        xp = backend.get_array_module(W)
        delta = self.delta(W)
        Wp, Wn = [scale.array for scale in self._scales(W, delta)]
        return (xp.stack([-Wn, xp.zeros((), W.dtype), Wp]),
                xp.stack([-delta, delta]))

    def encode(self, W):
        self._check_finite(W)
        xp = backend.get_array_module(W)
        delta = self.delta(W)
        codes = (W > delta).astype(xp.uint8) * xp.uint8(2)
        codes += (W < -delta).astype(xp.uint8)
        Wp, Wn = self._scales(W, delta)
        return codes, codebooks.Codebook.table(xp.stack(
            [xp.zeros((), W.dtype), -Wn.array, Wp.array]), xp=xp)

    def _scales(self, W, delta):
        """Wp and Wn as variables of the dtype of the array W."""
        if self.relative:
            a_p, a_n = (self.a_p, self.a_n) if self.initialized else (
                self._mean_magnitudes(W, delta))
            scales = [chainer.as_variable(self.s_p) * a_p,
                      chainer.as_variable(self.s_n) * a_n]
        else:
            scales = [self.Wp, self.Wn]
        return [F.cast(chainer.as_variable(s), W.dtype) for s in scales]

    @staticmethod
    def _mean_magnitudes(W, delta):
        """The means of |W| above delta and below -delta (float32)."""
        xp = backend.get_array_module(W)
        means = []
        for chosen in (W > delta, W < -delta):
            n = chosen.sum()
            # float16 would overflow
            total = (abs(W) * chosen).sum(
                dtype=numpy.promote_types(W.dtype, numpy.float32))
            means.append(xp.where(
                n > 0, total / xp.maximum(n, 1), 1).astype(numpy.float32))
        return means
