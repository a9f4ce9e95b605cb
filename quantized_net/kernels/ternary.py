"""Three values with two scales, and their gradients, in one pass each."""

from chainer import backend
from chainer.backends import cuda
import numpy

from quantized_net.kernels import many_arrays
from quantized_net.kernels import native


def largest_magnitude(W):
    """max |W|, of shape (): NaN where a NaN is among them, 0 of none.

    Args:
        W (:ref:`ndarray`): Floats, any shape.

    """
    if backend.get_array_module(W) is not numpy:
        return threshold_cuda(W, 1.)
    if W.size == 0:
        return numpy.zeros((), W.dtype)
    if native.takes(W):
        largest = numpy.empty((), W.dtype)
        if native.call('largest_magnitude', W, W.size, largest):
            return largest[()]
    # two passes that write nothing, where abs would write one array
    return numpy.maximum(W.max(), -W.min())


def threshold(W, t):
    """t times max |W|, of shape ().

    Args:
        W (:ref:`ndarray`): Floats, any shape.
        t (float): The factor.

    """
    if backend.get_array_module(W) is not numpy:
        return threshold_cuda(W, t)
    return largest_magnitude(W) * W.dtype.type(t)


def thresholds(Ws, t):
    """:func:`threshold` of many arrays, on a GPU in a few launches.

    Args:
        Ws (list of :ref:`ndarray`): Floats, any shapes.
        t (float): The factor.

    Returns:
        list of :ref:`ndarray`: Of shape ().

    """
    if len(Ws) > 1 and many_arrays.are_fit(*Ws):
        return thresholds_cuda(Ws, t)
    return [threshold(W, t) for W in Ws]


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
        g (numpy.ndarray): Gradient of the values.
        codes (numpy.ndarray): As :func:`ternary` gives them.
        Wp, Wn (numpy.ndarray): Shape ().

    Returns:
        tuple: g times Wp, 1 or Wn; the sum of g over the positive weights,
        and over the negative ones, both float64.

    """
    if native.takes(g):
        g = numpy.asarray(g, order='C')
        gW = numpy.empty_like(g)
        over_p, over_n = numpy.empty((), 'd'), numpy.empty((), 'd')
        if native.call('ternary_gradient', g, codes, gW, g.size, float(Wp),
                       float(Wn), over_p, over_n):
            return gW, over_p[()], over_n[()]
    return ternary_gradient_reference(g, codes, Wp, Wn)


def gradients(g, codes, Wp, Wn, sign=-1, is_mean=False):
    """The gradients of the latent weights and of the two scales.

    Args:
        g, codes, Wp, Wn (:ref:`ndarray`): As in :func:`ternary_gradient`.
        sign (int): Of the last gradient: that of the sum, or against it.
        is_mean (bool): Whether the gradients of the scales are means.

    Returns:
        tuple: Three arrays of the dtype of ``g``; two of shape ().

    """
    if not isinstance(g, numpy.ndarray):
        return gradients_cuda(g, codes, Wp, Wn, sign, is_mean)
    gW, over_p, over_n = ternary_gradient(g, codes, Wp, Wn)
    over_n *= sign
    if is_mean:
        over_p /= max(numpy.count_nonzero(codes > 0), 1)
        over_n /= max(numpy.count_nonzero(codes < 0), 1)
    return gW, *[numpy.asarray(total).astype(g.dtype)
                 for total in (over_p, over_n)]


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


def threshold_cuda(W, t):
    """The CUDA form of :func:`threshold`: one reduction."""
    return cuda.reduce(
        'T W, T t', 'T delta', 'W < (T)0 ? (T)-W : W',
        # NaN is above all
        '(a != a || a > b) ? a : b', 'delta = (T)(a * t)', '0',
        'quantized_net_threshold')(W, W.dtype.type(t))


# Magnitudes as integers have their order, and NaN is above infinity.
_largest_bits = many_arrays.Kernel(
    'quantized_net_thresholds', 'W largest', '', '''
    const Bits bits = *reinterpret_cast<const Bits*>(&W[i]) & ~SIGN;
    if (bits > found) found = bits;''', '''
  __shared__ Bits of_block;
  if (threadIdx.x == 0) of_block = 0;
  __syncthreads();
  Bits found = 0;''', '''
  if (found > 0) atomicMax(&of_block, found);
  __syncthreads();
  if (threadIdx.x == 0)
    atomicMax(reinterpret_cast<Bits*>(largest), of_block);''', '''
template<class F> struct BitsOf { typedef unsigned int type; };
template<> struct BitsOf<double> { typedef unsigned long long type; };
typedef BitsOf<T>::type Bits;
#define SIGN ((Bits)1 << (8 * sizeof(T) - 1))''')


def thresholds_cuda(Ws, t):
    """The CUDA form of :func:`thresholds`, for arrays of one type."""
    xp = backend.get_array_module(*Ws)
    found = xp.zeros(len(Ws), Ws[0].dtype)
    _largest_bits([(W, found[k]) for k, W in enumerate(Ws)])
    found *= Ws[0].dtype.type(t)
    return [found[k] for k in range(len(Ws))]


# Sums of so many parts are added up by one block of threads.
_MOST_PARTS = 1 << 14


def gradients_cuda(g, codes, Wp, Wn, sign, is_mean):
    """The CUDA form of :func:`gradients`: a pass, and the sum of its parts.

    The order of the sums is always the same.
    """
    xp = backend.get_array_module(g)
    g, codes = xp.ascontiguousarray(g), xp.ascontiguousarray(codes)
    gW, dtype = xp.empty_like(g), numpy.float64
    n = max(min(g.size // 8, _MOST_PARTS), 1)
    sums = xp.empty((4, n), dtype)
    cuda.elementwise(
        'raw T g, raw int8 codes, T Wp, T Wn, int64 size, int64 step',
        'raw T gW, float64 p, float64 n_p, float64 m, float64 n_m',
        '''
        double sum_p = 0, sum_m = 0;
        long long count_p = 0, count_m = 0;
        for (long long k = i; k < size; k += step) {
          const T x = g[k];
          const int code = codes[k];
          gW[k] = (T)(x * (code > 0 ? Wp : (code < 0 ? Wn : (T)1)));
          if (code > 0) { sum_p += (double)x; ++count_p; }
          if (code < 0) { sum_m += (double)x; ++count_m; }
        }
        p = sum_p; m = sum_m;
        n_p = (double)count_p; n_m = (double)count_m;
        ''', 'quantized_net_ternary_gradient')(
            g, codes, Wp, Wn, g.size, n, gW, *sums)
    gWp, gWn = xp.empty((2,), g.dtype)
    cuda.reduce(
        'float64 p, float64 n_p, float64 m, float64 n_m, float64 sign, '
        'bool is_mean', 'T gWp, T gWn', 'Sums(p, n_p, m, n_m)',
        'Sums(a.p + b.p, a.n_p + b.n_p, a.m + b.m, a.n_m + b.n_m)',
        '''gWp = (T)(is_mean && a.n_p > 1 ? a.p / a.n_p : a.p),
        gWn = (T)(sign * (is_mean && a.n_m > 1 ? a.m / a.n_m : a.m))''',
        '0', 'quantized_net_ternary_sums', reduce_type='Sums', preamble='''
struct Sums {
  double p, n_p, m, n_m;
  __device__ Sums(double p = 0, double n_p = 0, double m = 0, double n_m = 0)
      : p(p), n_p(n_p), m(m), n_m(n_m) {}
};''')(*sums, float(sign), bool(is_mean), gWp, gWn)
    return gW, gWp, gWn
