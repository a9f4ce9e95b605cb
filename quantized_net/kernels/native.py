"""The library of compiled kernels: found, tested, or done without."""

import ctypes
import functools
import importlib.machinery
import os
import sys
import warnings

import numpy

from quantized_net.kernels import signatures

# What the self-test looks at, before it is known to be right.
_under_test = None


def library():
    """The compiled kernels, or ``None`` where NumPy has to serve.

    That is where they were not built (no compiler at installation), where
    ``QUANTIZED_NET_KERNELS=numpy`` asks for it, and, with a warning, where
    they do not agree with their references on this machine.
    """
    return _load()[0] if _under_test is None else _under_test


def level():
    """What the compiled kernels use of the processor.

    0 is what every one has, 1 AVX2, 2 AVX-512; ``None`` where NumPy serves.
    """
    found = library()
    return None if found is None else found.quantized_net_level()


def takes(*arrays):
    """Whether :func:`call` is worth what it takes to lay these arrays out.

    It is where the compiled kernels are there and the arrays are NumPy's,
    float32, aligned and not empty; ``None`` stands for no array.
    """
    return library() is not None and all(
        type(a) is numpy.ndarray and a.dtype == numpy.float32 and a.size
        and a.flags.aligned for a in arrays if a is not None)


def call(name, *args):
    """Calls a compiled kernel, where there is one and the arguments fit.

    Args:
        name (str): As in :mod:`~quantized_net.kernels.signatures`.
        args: Numbers, arrays and ``None``, as there.

    Returns:
        bool: Whether it was done.  Where it was not, nothing is written, and
        the NumPy form is to do it, or to raise what NumPy raises.

    """
    found = library()
    if found is None:
        return False
    arguments = signatures.SIGNATURES[name].convert(args)
    if arguments is None:
        return False
    result = getattr(found, 'quantized_net_' + name)(*arguments)
    if result < 0:
        raise MemoryError('no memory left for %s' % name.replace('_', ' '))
    return result == 0


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


def _declare(found):
    for name, signature in signatures.SIGNATURES.items():
        function = getattr(found, 'quantized_net_' + name)
        function.argtypes = signature.argtypes
        function.restype = ctypes.c_int
    found.quantized_net_set_threads.restype = None


def _agrees_with_references(found):
    global _under_test
    from quantized_net.kernels import self_test  # which knows all kernels

    _under_test = found
    try:
        return self_test.agrees()
    finally:
        _under_test = None
