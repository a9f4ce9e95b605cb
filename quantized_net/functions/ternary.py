"""Ternary weights with trained scales (TTQ)."""

import numpy

import chainer
from chainer import backend
from chainer.backends import cuda
from chainer import function_node
from chainer.utils import type_check

from quantized_net.kernels import ternary as kernels


class _Ternary(function_node.FunctionNode):

    def __init__(self, delta, gradient_of_Wn, reduction, latent_factors):
        self.delta = delta
        self.gradient_of_Wn = gradient_of_Wn
        self.reduction = reduction
        self.latent_factors = latent_factors

    def check_type_forward(self, in_types):
        type_check._argname(in_types, ('W', 'Wp', 'Wn'))
        W, Wp, Wn = in_types
        type_check.expect(
            W.dtype.kind == 'f', Wp.dtype == W.dtype, Wn.dtype == W.dtype,
            Wp.ndim == 0, Wn.ndim == 0)

    def forward_cpu(self, inputs):
        self.retain_inputs((1, 2))
        W, Wp, Wn = inputs
        y, self.codes = kernels.ternary(W, self.delta, Wp, Wn)
        return y,

    def forward_gpu(self, inputs):
        self.retain_inputs((1, 2))
        W, Wp, Wn = inputs
        y, self.codes = cuda.elementwise(
            'T W, T delta, T Wp, T Wn', 'T y, int8 code',
            '''
            code = W > delta ? 1 : (W < -delta ? -1 : 0);
            y = code > 0 ? Wp : (code < 0 ? -Wn : (T)0);
            ''', 'quantized_net_ternary')(W, self.delta, Wp, Wn)
        return y,

    def backward(self, indexes, gys):
        factors = self.latent_factors
        if factors is None:
            factors = self.get_retained_inputs()
        return _TernaryGrad(
            self.codes, self.gradient_of_Wn, self.reduction).apply(
                (gys[0], *factors))


class _TernaryGrad(function_node.FunctionNode):

    def __init__(self, codes, gradient_of_Wn, reduction):
        self.codes = codes
        self.gradient_of_Wn = gradient_of_Wn
        self.reduction = reduction

    def forward_cpu(self, inputs):
        g, Wp, Wn = inputs
        codes = self.codes
        gW, over_p, over_n = kernels.ternary_gradient(g, codes, Wp, Wn)
        n_p = n_n = 1
        if self.reduction == 'mean':
            n_p = max(int(numpy.count_nonzero(codes > 0)), 1)
            n_n = max(int(numpy.count_nonzero(codes < 0)), 1)
        return (gW, numpy.asarray(over_p / n_p, g.dtype),
                numpy.asarray(self._sign() * over_n / n_n, g.dtype))

    def forward_gpu(self, inputs):
        g, Wp, Wn = inputs
        codes = self.codes
        gW = cuda.elementwise(
            'T g, int8 code, T Wp, T Wn', 'T gW',
            'gW = g * (code > 0 ? Wp : (code < 0 ? Wn : (T)1))',
            'quantized_net_ternary_grad')(g, codes, Wp, Wn)
        over_p = cuda.reduce(
            'T g, int8 code', 'T s', 'code > 0 ? g : (T)0', 'a + b',
            's = a', '0', 'quantized_net_ternary_sum_p')(g, codes)
        over_n = cuda.reduce(
            'T g, int8 code', 'T s', 'code < 0 ? g : (T)0', 'a + b',
            's = a', '0', 'quantized_net_ternary_sum_n')(g, codes)
        if self.reduction == 'mean':
            # counts stay on the device
            over_p /= (codes > 0).sum().clip(1, None).astype(g.dtype)
            over_n /= (codes < 0).sum().clip(1, None).astype(g.dtype)
        return gW, over_p, over_n * g.dtype.type(self._sign())

    def _sign(self):
        return 1 if self.gradient_of_Wn == 'paper_eq7' else -1

    def backward(self, indexes, ggs):
        raise NotImplementedError(
            'the ternary function has no second derivative')


def max_threshold(W, t=0.05):
    """The threshold of TTQ: t times the largest magnitude.

    .. math:: \\Delta = t \\cdot \\max |W|

    Args:
        W (:ref:`ndarray`): Latent weights.
        t (float): In (0, 1).

    Returns:
        :ref:`ndarray`: Of shape (), on the device of ``W``.

    .. seealso:: arXiv:1612.01064, eq. 9.

    """
    if isinstance(W, numpy.ndarray):
        return kernels.largest_magnitude(W) * W.dtype.type(t)
    return backend.get_array_module(W).maximum(
        W.max(), -W.min()) * W.dtype.type(t)


def quantile_threshold(W, sparsity):
    """The threshold that makes a share of the weights zero.

    Args:
        W (:ref:`ndarray`): Latent weights.
        sparsity (float): Share of zeros r, in [0, 1): the threshold is the
            largest of the ``round(r * W.size)`` smallest magnitudes, so just
            those become zero (more where magnitudes tie, and none at 0).

    Returns:
        :ref:`ndarray`: Of shape (), on the device of ``W``.

    .. seealso:: arXiv:1612.01064, section 4 (constant sparsity).

    """
    xp = backend.get_array_module(W)
    n = int(round(sparsity * W.size))
    if n == 0:
        # only weights that are zero themselves stay so
        return xp.zeros((), W.dtype)
    return xp.partition(xp.abs(W).ravel(), n - 1)[n - 1]


def ternary(W, Wp, Wn, delta, gradient_of_Wn='true', reduction='sum',
            latent_factors=None):
    """Quantizes to three values with trained scales.

    .. math::

        W^t = \\begin{cases} W_p & W > \\Delta \\\\ 0 & |W| \\leq \\Delta
              \\\\ -W_n & W < -\\Delta \\end{cases}

    With :math:`g = \\partial L / \\partial W^t` and the index sets
    :math:`I_p, I_0, I_n` of the three cases:

    .. math::

        \\frac{\\partial L}{\\partial W} = \\begin{cases} W_p g & I_p \\\\
        g & I_0 \\\\ W_n g & I_n \\end{cases} \\qquad
        \\frac{\\partial L}{\\partial W_p} = \\sum_{I_p} g \\qquad
        \\frac{\\partial L}{\\partial W_n} = -\\sum_{I_n} g

    The paper prints the last sum without its minus sign (eq. 7), where its
    authors' code differentiates rightly; ``gradient_of_Wn='paper_eq7'`` is
    what the paper prints.

    On the boundary: :math:`|W| = \\Delta` is zero, NaN is zero.

    Args:
        W (~chainer.Variable): Latent weights, any shape.
        Wp (~chainer.Variable): Positive scale, shape ().
        Wn (~chainer.Variable): Negative scale, shape ().
        delta (:ref:`ndarray`): Threshold, shape (); gets no gradient.
        gradient_of_Wn (str): ``'true'`` or ``'paper_eq7'``.
        reduction (str): ``'sum'``, or ``'mean'`` over the index sets.
        latent_factors (pair of arrays): What stands in place of ``Wp`` and
            ``Wn`` in the gradient of ``W``, of shape () and its dtype.

    Returns:
        ~chainer.Variable: Same shape and dtype as ``W``.

    .. seealso:: Zhu et al., arXiv:1612.01064, eq. 6, 7 and 8.

    """
    if gradient_of_Wn not in ('true', 'paper_eq7'):
        raise ValueError("gradient_of_Wn must be 'true' or 'paper_eq7', not "
                         '%r' % (gradient_of_Wn,))
    if reduction not in ('sum', 'mean'):
        raise ValueError(
            "reduction must be 'sum' or 'mean', not %r" % (reduction,))
    return _Ternary(
        delta, gradient_of_Wn, reduction, latent_factors).apply(
            (W, Wp, Wn))[0]


def twn(W, threshold=0.7, per_filter=False):
    """Quantizes to three values with the scale in closed form (TWN).

    .. math::

        \\Delta = 0.7 \\, \\text{mean} |W| \\qquad
        \\alpha = \\frac{\\sum_{|W| > \\Delta} |W|}{\\# \\{|W| > \\Delta\\}}
        \\qquad W^t = \\alpha \\, \\text{sign}(W) [|W| > \\Delta]

    The gradient passes straight through to W.

    Args:
        W (~chainer.Variable): Latent weights, any shape.
        threshold (float): Factor of the mean magnitude; 0.7 in the paper,
            0.75 for each filter in its authors' code of 2022.
        per_filter (bool): One threshold and scale for each index of the
            first axis.

    Returns:
        ~chainer.Variable: Same shape and dtype as ``W``.

    .. seealso:: Li et al., arXiv:1605.04711, eq. 3 to 6.

    """
    W = chainer.as_variable(W)
    codes, alpha = twn_codes(W.array, threshold, per_filter)
    quantized = codes.astype(W.dtype) * alpha
    return _StraightThrough(quantized).apply((W,))[0]


def twn_codes(W, threshold=0.7, per_filter=False):
    """Codes -1, 0 and 1 (int8) and the scales of :func:`twn`.

    The scales have the shape (), or (O, 1, ...) for each filter; that of a
    filter with nothing above the threshold is 0.
    """
    xp = backend.get_array_module(W)
    axis = tuple(range(1, W.ndim)) if per_filter else None
    magnitude = xp.abs(W)
    delta = magnitude.mean(axis=axis, keepdims=per_filter) * W.dtype.type(
        threshold)
    above = magnitude > delta
    count = above.sum(axis=axis, keepdims=per_filter)
    alpha = (magnitude * above).sum(
        axis=axis, keepdims=per_filter) / xp.maximum(count, 1).astype(W.dtype)
    codes = above * xp.sign(W).astype(xp.int8)
    return codes, xp.asarray(alpha, W.dtype)


class _StraightThrough(function_node.FunctionNode):

    """Gives an array that was made of its input; passes the gradient."""

    def __init__(self, y):
        self.y = y

    def forward(self, inputs):
        y, self.y = self.y, None
        return y,

    def backward(self, indexes, gys):
        return gys
