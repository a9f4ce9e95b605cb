"""Small integers as bytes, without a gap.

A coding is named by a string:

``'base3'``
    codes 0, 1 and 2, five in a byte, of the value
    :math:`c_0 + 3 c_1 + 9 c_2 + 27 c_3 + 81 c_4` (1.6 bits a code; the bytes
    243 to 255 are none);
``'bits1'`` to ``'bits16'``
    n bits a code, the first code in the lowest bits of the first byte.

Codes come in C order, and what is left of the last byte is zero.
"""

import math

import numpy

_TRITS = numpy.array([1, 3, 9, 27, 81], numpy.uint8)

# The codes of each byte in base 3, shape (243, 5).
_CODES_OF_BYTE = (
    numpy.arange(243)[:, None] // _TRITS % 3).astype(numpy.uint8)

_CHUNK = 1 << 20  # codes at a time; a multiple of 8

CODINGS = ('base3',) + tuple('bits%d' % n for n in range(1, 17))


def coding_of(n_values, ternary='base3'):
    """The coding of so many different codes.

    Args:
        n_values (int): From 1 to 65,536.
        ternary (str): The coding of three: ``'base3'`` or ``'bits2'``.

    """
    if not 1 <= n_values <= 1 << 16:
        raise ValueError('no coding has %d values' % n_values)
    if n_values == 3:
        return ternary
    return 'bits%d' % max((n_values - 1).bit_length(), 1)


def n_codes_of(coding):
    """How many different codes a coding has."""
    _check_coding(coding)
    return 3 if coding == 'base3' else 1 << int(coding[4:])


def n_bytes(n, coding):
    """The bytes of n codes."""
    _check_coding(coding)
    if coding == 'base3':
        return -(-n // 5)
    return -(-n * int(coding[4:]) // 8)


def pack(codes, coding):
    """Packs codes.

    Args:
        codes (numpy.ndarray): Integers of any shape.
        coding (str): See above.

    Returns:
        numpy.ndarray: Bytes (uint8), of shape (``n_bytes(codes.size,
        coding)``,).

    Raises:
        ValueError: Where a code is negative or beyond the coding.

    """
    codes = numpy.asarray(codes)
    limit = n_codes_of(coding)
    if codes.size and not 0 <= int(codes.min()) <= int(codes.max()) < limit:
        raise ValueError('codes from %d to %d do not fit into %s' % (
            codes.min(), codes.max(), coding))
    codes = codes.ravel()
    if coding == 'base3':
        fives = numpy.zeros((n_bytes(codes.size, coding), 5), numpy.uint8)
        fives.reshape(-1)[:codes.size] = codes
        return fives @ _TRITS
    n = int(coding[4:])
    packed = [numpy.packbits(_bits_of(codes[i:i + _CHUNK], n),
                             bitorder='little')
              for i in range(0, codes.size, _CHUNK)]
    return numpy.concatenate(packed or [numpy.empty(0, numpy.uint8)])


def unpack(packed, coding, shape):
    """Unpacks codes.

    Args:
        packed (numpy.ndarray): Bytes (uint8), of shape (n,).
        coding (str): See above.
        shape (tuple of ints): Of the codes.

    Returns:
        numpy.ndarray: Codes (uint8; uint16 of more than 8 bits).

    Raises:
        ValueError: Where the number of bytes is another, a byte has no
            meaning, or what is left of the last one is not zero.

    """
    size = math.prod(shape)
    if packed.shape != (n_bytes(size, coding),):
        raise ValueError('%d bytes, %d codes in %s take %d' % (
            packed.size, size, coding, n_bytes(size, coding)))
    if coding == 'base3':
        if packed.size and packed.max() > 242:
            raise ValueError('the byte %d is none in base 3' % packed.max())
        codes = _CODES_OF_BYTE[packed].reshape(-1)
        padding = codes[size:]
    else:
        n = int(coding[4:])
        codes = numpy.empty(size, numpy.uint8 if n <= 8 else numpy.uint16)
        for i in range(0, size, _CHUNK):
            count = min(_CHUNK, size - i)
            # a chunk of codes begins with a byte: their number is one of 8
            first = i * n // 8
            bits = numpy.unpackbits(
                packed[first:first + n_bytes(count, coding)],
                count=count * n, bitorder='little').reshape(count, n)
            codes[i:i + count] = 0
            for j in range(n):
                codes[i:i + count] |= bits[:, j].astype(codes.dtype) << j
        used = size * n % 8
        padding = packed[-1:] >> used if used else packed[:0]
    if padding.any():
        raise ValueError('what is left of the last byte is not zero')
    return codes[:size].reshape(shape)


def _bits_of(codes, n):
    """Bits, the lowest first, of shape (codes, n)."""
    bits = numpy.empty((codes.size, n), numpy.uint8)
    for j in range(n):
        bits[:, j] = codes >> j & 1
    return bits


def _check_coding(coding):
    if coding not in CODINGS:
        raise ValueError('unknown coding %r' % (coding,))
