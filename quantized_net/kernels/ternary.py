"""Three values with two scales, and their gradients, in one pass each."""

from chainer import backend
from chainer.backends import cuda
import numpy

from quantized_net.kernels import native


def largest_magnitude(W):
    """max |W|, of shape (): NaN where a NaN is among them, 0 of none.

    Args:
        W (:ref:`ndarray`): Floats, any shape.

    """
    xp = backend.get_array_module(W)
    if W.size == 0:
        return xp.zeros((), W.dtype)
    if native.takes(W):
        largest = numpy.empty((), W.dtype)
        if native.call('largest_magnitude', W, W.size, largest):
            return largest[()]
    # two passes that write nothing, where abs would write one array
    return xp.maximum(W.max(), -W.min())


def ternary(W, delta, Wp, Wn):
    """Wp above delta, -Wn below -delta, else 0.

    NaN where W is not finite, and everywhere if delta is not.

    Args:
        W (:ref:`ndarray`): Latent weights, any shape.
        delta, Wp, Wn (:ref:`ndarray`): Shape ().

    Returns:
        tuple: The values, and the codes -1, 0 and 1 (int8).

    """
    if not isinstance(W, numpy.ndarray):
        return ternary_cuda(W, delta, Wp, Wn)
    if native.takes(W):
        W = numpy.asarray(W, order='C')
        y, codes = numpy.empty_like(W), numpy.empty(W.shape, numpy.int8)
        if native.call('ternary', W, y, codes, W.size, float(delta),
                       float(Wp), float(Wn)):
            return y, codes
    return ternary_reference(W, delta, Wp, Wn)


def ternary_gradient(g, codes, Wp, Wn):
    """The gradient of the latent weights, and the sums over the two signs.

    Args:
        g (:ref:`ndarray`): Gradient of the values.
        codes (:ref:`ndarray`): As :func:`ternary` gives them.
        Wp, Wn (:ref:`ndarray`): Shape ().

    Returns:
        tuple: g times Wp, 1 or Wn; the sum of g over the positive weights,
        and over the negative ones, both float64.

    """
    if not isinstance(g, numpy.ndarray):
        return ternary_gradient_cuda(g, codes, Wp, Wn)
    if native.takes(g):
        g = numpy.asarray(g, order='C')
        gW = numpy.empty_like(g)
        over_p, over_n = numpy.empty((), 'd'), numpy.empty((), 'd')
        if native.call('ternary_gradient', g, codes, gW, g.size, float(Wp),
                       float(Wn), over_p, over_n):
            return gW, over_p[()], over_n[()]
    return ternary_gradient_reference(g, codes, Wp, Wn)


def ternary_reference(W, delta, Wp, Wn):
    """The NumPy form of :func:`ternary`."""
    positive = numpy.asarray(W > delta)
    negative = numpy.asarray(W < -delta)
    codes = numpy.asarray(
        positive.view(numpy.int8) - negative.view(numpy.int8))
    values = numpy.array([0, Wp, -Wn], W.dtype)
    y = numpy.asarray(values.take(codes, mode='wrap'))
    is_finite = numpy.isfinite(W) & numpy.isfinite(delta)
    if not is_finite.all():
        numpy.copyto(y, numpy.nan, where=~is_finite)
    return y, codes


def ternary_gradient_reference(g, codes, Wp, Wn):
    """The NumPy form of :func:`ternary_gradient`."""
    factors = numpy.array([1, Wp, Wn], g.dtype)
    gW = numpy.asarray(factors.take(codes, mode='wrap'))
    gW *= g
    return gW, g.sum(where=codes > 0, dtype='d'), g.sum(
        where=codes < 0, dtype='d')


def ternary_cuda(W, delta, Wp, Wn):
    """The CUDA form of :func:`ternary`."""
    # the casts are for float16, whose arithmetic gives floats
    return cuda.elementwise(
        'T W, T delta, T Wp, T Wn', 'T y, int8 code',
        '''
        code = W > delta ? 1 : (W < (T)-delta ? -1 : 0);
        T value = code > 0 ? Wp : (code < 0 ? (T)-Wn : (T)0);
        y = (T)(value + (T)((W - W) + (delta - delta)));
        ''', 'quantized_net_ternary')(W, delta, Wp, Wn)


def ternary_gradient_cuda(g, codes, Wp, Wn):
    """The CUDA form of :func:`ternary_gradient`."""
    gW = cuda.elementwise(
        'T g, int8 code, T Wp, T Wn', 'T gW',
        'gW = g * (code > 0 ? Wp : (code < 0 ? Wn : (T)1))',
        'quantized_net_ternary_grad')(g, codes, Wp, Wn)
    return (gW,) + tuple(
        cuda.reduce(
            'T g, int8 code', 'float64 s',
            '%s ? (double)g : 0.' % condition, 'a + b', 's = a', '0',
            'quantized_net_ternary_sum_' + name)(g, codes)
        for name, condition in (('p', 'code > 0'), ('n', 'code < 0')))
