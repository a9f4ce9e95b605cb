"""Ternary weights with trained scales (TTQ)."""

from chainer import backend
from chainer import function_node
from chainer.utils import type_check

from quantized_net.kernels import ternary as kernels
from quantized_net.kernels import twn as twn_kernels


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

    def forward(self, inputs):
        self.retain_inputs((1, 2))
        W, Wp, Wn = inputs
        y, self.codes = kernels.ternary(W, self.delta, Wp, Wn)
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

    def forward(self, inputs):
        g, Wp, Wn = inputs
        return kernels.gradients(
            g, self.codes, Wp, Wn, -1 if self.gradient_of_Wn == 'true' else 1,
            self.reduction == 'mean')

    def backward(self, indexes, ggs):
        raise NotImplementedError(
            'the ternary function has no second derivative')


def max_threshold(W, t=0.05):
    """The threshold of TTQ: t times the largest magnitude.

    .. math:: \\Delta = t \\cdot \\max |W|

    On the boundary: 0 of no weights; not finite where a weight is not.

    Args:
        W (:ref:`ndarray`): Latent weights.
        t (float): In (0, 1).

    Returns:
        :ref:`ndarray`: Of shape (), on the device of ``W``.

    Raises:
        TypeError: If the weights are no floats.

    .. seealso:: arXiv:1612.01064, eq. 9.

    """
    _check_floats(W)
    return kernels.threshold(W, t)


def max_thresholds(Ws, t=0.05):
    """:func:`max_threshold` of many arrays, on a GPU in a few launches.

    Args:
        Ws (list of :ref:`ndarray`): Latent weights, on one device.
        t (float): In (0, 1).

    Returns:
        list of :ref:`ndarray`: Of shape ().

    """
    for W in Ws:
        _check_floats(W)
    return kernels.thresholds(Ws, t)


def quantile_threshold(W, sparsity):
    """The threshold that makes a share of the weights zero.

    On the boundary: 0 of no weights; NaN counts as the largest of all.

    Args:
        W (:ref:`ndarray`): Latent weights.
        sparsity (float): Share of zeros r, in [0, 1): the threshold is the
            largest of the ``round(r * W.size)`` smallest magnitudes, so just
            those become zero (more where magnitudes tie, and none at 0).

    Returns:
        :ref:`ndarray`: Of shape (), on the device of ``W``.

    Raises:
        TypeError: If the weights are no floats.

    .. seealso:: arXiv:1612.01064, section 4 (constant sparsity).

    """
    _check_floats(W)
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

    On the boundary: :math:`|W| = \\Delta` is zero; a weight that is NaN or
    infinite becomes NaN, and all do where :math:`\\Delta` is.  The gradient
    of such a weight is that of its case, NaN's that of zero.  The sums are
    float64's, whatever the dtype.

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

    On the boundary: :math:`|W| = \\Delta` is zero; where a weight is NaN or
    infinite, all that share its scale become NaN.

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
    return _TWN(threshold, per_filter).apply((W,))[0]


def twn_threshold(W, threshold=0.7, per_filter=False):
    """The magnitudes of the weights and the threshold of :func:`twn`.

    Both are float32, or float64 for float64; the threshold is of the shape
    (), or (O, 1, ...) for each filter.

    Raises:
        TypeError: If the weights are no floats.

    """
    _check_floats(W)
    return twn_kernels.threshold(W, threshold, per_filter)


def twn_codes(W, threshold=0.7, per_filter=False):
    """Codes -1, 0 and 1 (int8) and the scales of :func:`twn`.

    The scales have the shape (), or (O, 1, ...) for each filter; that of a
    filter with nothing above the threshold is 0, and that of one with a NaN
    or an infinity NaN.  Sums are float32's, or float64's for float64.

    Raises:
        TypeError: If the weights are no floats.

    """
    _check_floats(W)
    return twn_kernels.twn(W, threshold, per_filter)[1:]


class _TWN(function_node.FunctionNode):

    """Passes the gradient straight through."""

    def __init__(self, threshold, per_filter):
        self.threshold = threshold
        self.per_filter = per_filter

    def check_type_forward(self, in_types):
        type_check._argname(in_types, ('W',))
        type_check.expect(in_types[0].dtype.kind == 'f')

    def forward(self, inputs):
        W, = inputs
        return twn_kernels.twn(W, self.threshold, self.per_filter)[0],

    def backward(self, indexes, gys):
        return gys


def _check_floats(W):
    if W.dtype.kind != 'f':
        raise TypeError('weights have to be floats, not %s' % W.dtype)
