"""Codes of weights in the order in which the kernels read them."""

import numpy

from ..kernels import native

_CHUNK = 24  # LOOKUP_CHUNK of lookup.h


def has_lookup():
    """Whether this processor looks sums up."""
    return bool(native.library().quantized_net_has_lookup())


def has_pixels():
    """Whether this processor sums pixels four at a time."""
    return bool(native.library().quantized_net_has_pixels())


def for_lookup(codes, n_levels):
    """Codes as lookup.c takes them.

    Args:
        codes (numpy.ndarray): Shape (N, K), below ``n_levels``.
        n_levels (int): 2, 3 or 4.

    Returns:
        numpy.ndarray: uint32, one-dimensional.

    """
    inputs = {2: 5, 3: 3, 4: 2}[n_levels]
    n, k = codes.shape
    whole = numpy.zeros(
        (-(-n // 16) * 16, -(-k // (6 * inputs)), 6, inputs), numpy.uint32)
    whole.reshape(len(whole), -1)[:n, :k] = codes
    indices = (whole * n_levels ** numpy.arange(inputs)).sum(axis=3)
    words = (indices << 5 * numpy.arange(6)).sum(axis=2).astype(numpy.uint32)
    blocks = words.reshape(-1, 16, words.shape[1]).transpose(2, 0, 1)
    return numpy.concatenate([
        blocks[word:word + _CHUNK, block:block + 4].ravel()
        for word in range(0, len(blocks), _CHUNK)
        for block in range(0, blocks.shape[1], 4)])


def of_signs(negative):
    """Signs as bits.c takes them.

    Args:
        negative (numpy.ndarray): Where a weight is negative: bool, of shape
            (N, K).

    Returns:
        numpy.ndarray: uint64, shape (N / 8, K / 64, 8), rounded up.

    """
    n, k = negative.shape
    whole = numpy.zeros((-(-n // 8) * 8, -(-k // 64) * 64), bool)
    whole[:n, :k] = negative
    words = numpy.packbits(
        whole, axis=1, bitorder='little').view(numpy.dtype('<u8'))
    return numpy.ascontiguousarray(
        words.reshape(-1, 8, words.shape[1]).transpose(0, 2, 1), numpy.uint64)


def for_pixels(weights):
    """Whole numbers as bits.c takes them beside pixels.

    Args:
        weights (numpy.ndarray): int8, shape (N, K).

    Returns:
        numpy.ndarray: int8, shape (N / 64, K / 4, 64, 4), rounded up.

    """
    n, k = weights.shape
    whole = numpy.zeros((-(-n // 64) * 64, -(-k // 4) * 4), numpy.int8)
    whole[:n, :k] = weights
    return numpy.ascontiguousarray(
        whole.reshape(-1, 64, whole.shape[1] // 4, 4).transpose(0, 2, 1, 3))


def whole_numbers(values):
    """Small whole numbers that values are multiples of, and the scale.

    Args:
        values (numpy.ndarray): Up to four floats.

    Returns:
        tuple or None: int8, shape (K,), and a float; ``None`` where there
        are none.

    """
    scale = float(abs(values).max())
    if not scale > 0:
        return None
    numbers = values / scale
    if not numpy.isin(numbers, (-1, 0, 1)).all():
        return None
    return numbers.astype(numpy.int8), scale
