"""The library of compiled kernels: found, tested, or done without."""

import ctypes
import functools
import importlib.machinery
import os
import sys
import warnings

import numpy


# What the self-test looks at, before it is known to be right.
_under_test = None


def library():
    """The compiled kernels, or ``None`` where NumPy has to serve.

    That is where they were not built (no compiler at installation), where
    ``QUANTIZED_NET_KERNELS=numpy`` asks for it, and, with a warning, where
    they do not agree with their references on this machine.
    """
    return _load()[0] if _under_test is None else _under_test


def takes(*arrays):
    """Whether the compiled kernels are there and take these arrays.

    They take float32 arrays of NumPy that are not empty; ``None`` stands for
    no array.
    """
    return library() is not None and all(
        type(a) is numpy.ndarray and a.dtype == numpy.float32 and a.size
        for a in arrays if a is not None)


def call(name, *args):
    """Calls a compiled kernel; what one answers is whether memory lacked.

    Args:
        name (str): As in the table of signatures.
        args: Numbers, arrays (for their addresses) and ``None``.

    """
    if getattr(library(), 'quantized_net_' + name)(*[
            a.ctypes.data if isinstance(a, numpy.ndarray) else a
            for a in args]):
        raise MemoryError('no memory left for %s' % name.replace('_', ' '))


def set_threads(n):
    """Sets how many threads the compiled kernels use.

    At the start it is ``OMP_NUM_THREADS``, else the processors that this
    process may use.
    """
    if library() is not None:
        library().quantized_net_set_threads(n)


def _default_threads():
    text = os.environ.get('OMP_NUM_THREADS', '').split(',')[0].strip()
    if text.isdigit() and int(text) > 0:
        return int(text)
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def show_config():
    """Prints which form of the kernels is in use, and why."""
    found, text = _load()
    if found is not None:
        text += ', %d threads, %s' % (
            found.quantized_net_threads(),
            ('baseline', 'AVX2', 'AVX-512')[found.quantized_net_level()])
    sys.stdout.write('kernels: %s\n' % text)


@functools.lru_cache(maxsize=None)
def _load():
    wanted = os.environ.get('QUANTIZED_NET_KERNELS', 'native')
    if wanted not in ('native', 'numpy'):
        raise ValueError(
            "QUANTIZED_NET_KERNELS must be 'native' or 'numpy', not %r"
            % wanted)
    if wanted == 'numpy':
        return None, 'NumPy (QUANTIZED_NET_KERNELS=numpy)'
    here = os.path.dirname(os.path.abspath(__file__))
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        path = os.path.join(here, '_native' + suffix)
        if os.path.exists(path):
            break
    else:
        return None, 'NumPy (not compiled: no compiler at installation)'
    try:
        found = ctypes.CDLL(path)
        _declare(found)
    except (OSError, AttributeError) as e:
        warnings.warn('%s can not be used, NumPy serves: %s' % (path, e),
                      stacklevel=2)
        return None, 'NumPy (%s)' % e
    if not _agrees_with_references(found):
        warnings.warn(
            '%s does not agree with its NumPy reference on this '
            'machine, NumPy serves' % path, stacklevel=2)
        return None, 'NumPy (the self-test of %s failed)' % path
    found.quantized_net_set_threads(_default_threads())
    return found, 'compiled (%s)' % path


_POINTER, _SIZE, _STRIDE, _FLOAT, _INT = (
    ctypes.c_void_p, ctypes.c_size_t, ctypes.c_ssize_t, ctypes.c_float,
    ctypes.c_int)

# From the name of a function to the types of its arguments, and of its
# result where it has one.
_SIGNATURES = {
    'adam': ([_POINTER] * 4 + [_SIZE] + [_FLOAT] * 5, None),
    'momentum_sgd': (
        [_POINTER] * 3 + [_SIZE] + [_FLOAT] * 3 + [_INT], None),
    'add': ([_POINTER] * 2 + [_SIZE], None),
    'clip': ([_POINTER, _SIZE, _FLOAT, _FLOAT], None),
    'powers_of_two': ([_POINTER] * 2 + [_SIZE, _FLOAT], None),
    'sign': ([_POINTER] * 2 + [_SIZE], None),
    'pass_inside': ([_POINTER] * 3 + [_SIZE, _FLOAT], None),
    'largest_magnitude': ([_POINTER, _SIZE], _FLOAT),
    'ternary': ([_POINTER] * 3 + [_SIZE] + [_FLOAT] * 3, None),
    'ternary_gradient': (
        [_POINTER] * 3 + [_SIZE, _FLOAT, _FLOAT, _POINTER], _INT),
    'convolution': ([_POINTER] * 6, _INT),
    'convolution_gradient_x': ([_POINTER] * 5, _INT),
    'convolution_gradient_W': ([_POINTER] * 5, _INT),
    'channel_moments': ([_POINTER, _SIZE, _SIZE] + [_POINTER] * 2, _INT),
    'batch_normalization': (
        [_POINTER] * 2 + [_SIZE] * 2 + [_POINTER] * 3 + [_INT, _POINTER],
        _INT),
    'batch_normalization_gradient': (
        [_POINTER] * 3 + [_SIZE] * 2 + [_POINTER] * 7, _INT),
    'max_pooling': ([_POINTER] * 4, None),
    'max_pooling_gradient': ([_POINTER] * 4, None),
    'average_pooling': ([_POINTER] * 3, None),
    'average_pooling_gradient': ([_POINTER] * 3, None),
    'sign_product': (
        [_POINTER] + [_STRIDE] * 2 + [_POINTER] + [_STRIDE] * 2
        + [_POINTER] + [_SIZE] * 3, _INT),
    'set_level': ([_INT], _INT),
    'level': ([], _INT),
    'set_threads': ([_INT], None),
    'threads': ([], _INT),
}


def _declare(found):
    for name, (argtypes, restype) in _SIGNATURES.items():
        function = getattr(found, 'quantized_net_' + name)
        function.argtypes = argtypes
        function.restype = restype


def _agrees_with_references(found):
    global _under_test
    from quantized_net.kernels import self_test  # which knows all kernels

    _under_test = found
    try:
        return self_test.agrees()
    finally:
        _under_test = None
