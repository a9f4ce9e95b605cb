"""Three values with two scales, and their gradients, in one pass each."""

import numpy

from quantized_net.kernels import native


def largest_magnitude(W):
    """max |W|, of shape (); NaN is passed over where compiled."""
    if not native.takes(W) or not W.flags.c_contiguous:
        # two passes that write nothing, where abs would write one array
        return numpy.maximum(W.max(), -W.min())
    return W.dtype.type(native.library().quantized_net_largest_magnitude(
        W.ctypes.data, W.size))


def ternary(W, delta, Wp, Wn):
    """Wp above delta, -Wn below -delta, else 0.

    Args:
        W (numpy.ndarray): Latent weights, any shape.
        delta, Wp, Wn (numpy.ndarray): Shape ().

    Returns:
        tuple: The values, and the codes -1, 0 and 1 (int8).

    """
    if not native.takes(W):
        return ternary_reference(W, delta, Wp, Wn)
    W = numpy.asarray(W, order='C')
    y, codes = numpy.empty_like(W), numpy.empty(W.shape, numpy.int8)
    native.call('ternary', W, y, codes, W.size, float(delta), float(Wp),
                float(Wn))
    return y, codes


def ternary_gradient(g, codes, Wp, Wn):
    """The gradient of the latent weights, and the sums over the two signs.

    Args:
        g (numpy.ndarray): Gradient of the values.
        codes (numpy.ndarray): As :func:`ternary` gives them.
        Wp, Wn (numpy.ndarray): Shape ().

    Returns:
        tuple: g times Wp, 1 or Wn; the sum of g over the positive weights,
        and over the negative ones.

    """
    if not native.takes(g) or not codes.flags.c_contiguous:
        return ternary_gradient_reference(g, codes, Wp, Wn)
    g = numpy.asarray(g, order='C')
    gW, sums = numpy.empty_like(g), numpy.empty(2)
    native.call('ternary_gradient', g, codes, gW, g.size, float(Wp),
                float(Wn), sums)
    return gW, sums[0], sums[1]


def ternary_reference(W, delta, Wp, Wn):
    """The NumPy form of :func:`ternary`."""
    positive = numpy.asarray(W > delta)
    negative = numpy.asarray(W < -delta)
    codes = numpy.asarray(
        positive.view(numpy.int8) - negative.view(numpy.int8))
    values = numpy.array([0, Wp, -Wn], W.dtype)
    return numpy.asarray(values.take(codes, mode='wrap')), codes


def ternary_gradient_reference(g, codes, Wp, Wn):
    """The NumPy form of :func:`ternary_gradient`."""
    factors = numpy.array([1, Wp, Wn], g.dtype)
    gW = numpy.asarray(factors.take(codes, mode='wrap'))
    gW *= g
    flat, codes = g.ravel(), codes.ravel()
    # sums of products with masks: dot runs over no index sets
    signed = numpy.dot(flat, codes.astype(g.dtype))
    absolute = numpy.dot(flat, (codes != 0).astype(g.dtype))
    return gW, (absolute + signed) / 2, (absolute - signed) / 2
