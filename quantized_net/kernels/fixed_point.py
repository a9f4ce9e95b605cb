"""Rounding to the multiples of a step, at random or to the nearest.

Random numbers come out of a key and an element's place in the array, by
Threefry-2x32 with 13 rounds (Salmon et al., SC 2011), so all three forms, and
any number of threads, give the same.  Of each 64 elements in a row the first
32 have the first words of the counters ``32 g`` to ``32 g + 31``, g being the
number of the 64, and the other 32 the second words; an element's u is the
upper 24 bits of its word, as a number from [0, 1).
"""

from chainer.backends import cuda
import numpy

from quantized_net.kernels import native

_HALF = 32
_BLOCK = 1 << 15  # elements that the NumPy form has under way at a time
_ROTATIONS = 13, 15, 26, 6, 17, 29, 16, 24
_N_ROUNDS = 13


def to_multiples(x, scale, low, high, key=None):
    """Rounds to multiples of a step, within bounds.

    With :math:`t = x \\cdot \\text{scale}`, and u = 1/2 or a random number
    from [0, 1):

    .. math::

        y = \\frac{\\text{clip}(\\lfloor t \\rfloor + [u < t - \\lfloor t
        \\rfloor], \\text{low}, \\text{high})}{\\text{scale}}

    On the boundary: without a key half a step goes down; NaN stays NaN, an
    infinity becomes its bound; there is no -0.0.

    Args:
        x (:ref:`ndarray`): Floats, any shape.
        scale (float): 1 / step; above 0.
        low, high (int): The least and the greatest multiple, below 2^24.
        key (int or None): Of 64 bits, for random rounding; ``None`` rounds
            to the nearest.

    Returns:
        :ref:`ndarray`: Same shape and dtype as ``x``.  float16 is rounded
        once more where it can not hold the multiple.

    """
    if not isinstance(x, numpy.ndarray):
        return cuda_form(x, scale, low, high, key)
    if native.takes(x):
        x = numpy.asarray(x, order='C')
        y = numpy.empty_like(x)
        if native.call(
                'fixed_point', x, y, x.size, float(scale), 1. / scale,
                float(low), float(high), numpy.array(key or 0, numpy.uint64),
                key is not None):
            return y
    return reference(x, scale, low, high, key)


def reference(x, scale, low, high, key=None):
    """The NumPy form."""
    dtype = numpy.promote_types(x.dtype, numpy.float32)
    scale, step = dtype.type(scale), dtype.type(1. / scale)
    flat = numpy.ascontiguousarray(x).ravel()
    y = numpy.empty_like(flat)
    for begin in range(0, x.size, _BLOCK):
        part = flat[begin:begin + _BLOCK].astype(dtype)
        u = dtype.type(.5)
        if key is not None:
            u = uniform(key, begin, len(part)).astype(dtype)
        # an infinity has no fraction
        with numpy.errstate(invalid='ignore', over='ignore'):
            part *= scale
            level = numpy.floor(part)
            level += u < part - level
        numpy.clip(level, low, high, out=level)
        level *= step
        y[begin:begin + _BLOCK] = level
    return y.reshape(x.shape)


def uniform(key, begin, n):
    """The random numbers of n elements in a row, from a place on.

    Args:
        key (int): Of 64 bits.
        begin (int): A multiple of 64.
        n (int): How many.

    Returns:
        numpy.ndarray: float32, multiples of 2^-24 in [0, 1).

    """
    group = numpy.arange(
        begin // (2 * _HALF), (begin + n + 2 * _HALF - 1) // (2 * _HALF),
        dtype=numpy.uint64)
    counters = numpy.asarray(
        group[:, None] * numpy.uint64(_HALF)
        + numpy.arange(_HALF, dtype=numpy.uint64), numpy.uint64)
    words = threefry(
        (key & 0xffffffff, key >> 32), counters.astype(numpy.uint32),
        (counters >> numpy.uint64(32)).astype(numpy.uint32))
    words = numpy.stack(words, axis=1).ravel()[:n]
    return (words >> numpy.uint32(8)).astype(numpy.float32) * numpy.float32(
        2. ** -24)


def threefry(key, a, b, n_rounds=_N_ROUNDS):
    """Threefry-2x32.

    Args:
        key (pair of int): Of 32 bits each.
        a, b (numpy.ndarray): The words of the counters (uint32).
        n_rounds (int): Up to 20.

    Returns:
        tuple: Two arrays of words.

    """
    keys = [numpy.uint32(k) for k in (
        *key, key[0] ^ key[1] ^ 0x1bd11bda)]
    with numpy.errstate(over='ignore'):
        a, b = a + keys[0], b + keys[1]
        for i in range(n_rounds):
            r = _ROTATIONS[i % 8]
            a += b
            b = (b << numpy.uint32(r)) | (b >> numpy.uint32(32 - r))
            b ^= a
            if i % 4 == 3:
                j = i // 4 + 1
                a += keys[j % 3]
                b += keys[(j + 1) % 3] + numpy.uint32(j)
    return a, b


_DRAW = '''
    C u = (C).5;
    if (is_random) {
      const unsigned long long place = i, group = place / 64;
      const unsigned long long counter = 32 * group + place %% 32;
      const unsigned int k2 = 0x1bd11bdau ^ k0 ^ k1;
      unsigned int a = (unsigned int)counter + k0;
      unsigned int b = (unsigned int)(counter >> 32) + k1;
%s
      const unsigned int word = place %% 64 < 32 ? a : b;
      u = (C)(word >> 8) * (C)5.9604644775390625e-8;
    }
'''


def _rounds():
    lines = []
    for i in range(_N_ROUNDS):
        r = _ROTATIONS[i % 8]
        lines.append('      a += b; b = (b << %d) | (b >> %d); b ^= a;' % (
            r, 32 - r))
        if i % 4 == 3:
            j = i // 4 + 1
            lines.append('      a += k%d; b += k%d + %du;' % (
                j % 3, (j + 1) % 3, j))
    return '\n'.join(lines)


def cuda_form(x, scale, low, high, key=None):
    """The CUDA form."""
    number = numpy.promote_types(x.dtype, numpy.float32)
    C = number.type
    key, is_random = (0, False) if key is None else (key, True)
    # CuPy has types from arrays alone; i is the place in memory: an array in
    # C's order
    source = _DRAW % _rounds() + '''
        const C t = (C)x * scale, whole = floor(t);
        C level = whole + (u < t - whole ? (C)1 : (C)0);
        level = level < low ? low : (level > high ? high : level);
        y = (T)(level * step);
        '''
    return cuda.elementwise(
        'T x, {0} scale, {0} step, {0} low, {0} high, uint32 k0, uint32 k1, '
        'bool is_random'.format(number), 'T y',
        source.replace('C', 'double' if number == 'd' else 'float'),
        'quantized_net_fixed_point_%s' % number)(
            cuda.cupy.ascontiguousarray(x), C(scale), C(1. / scale), C(low),
            C(high), numpy.uint32(key & 0xffffffff), numpy.uint32(key >> 32),
            is_random)
