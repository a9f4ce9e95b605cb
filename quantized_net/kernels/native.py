"""The library of compiled kernels: found, tested, or done without."""

import ctypes
import functools
import importlib.machinery
import os
import sys
import warnings

import numpy


@functools.lru_cache(maxsize=None)
def library():
    """The compiled kernels, or ``None`` where NumPy has to serve.

    That is where they were not built (no compiler at installation), where
    ``QUANTIZED_NET_KERNELS=numpy`` asks for it, and, with a warning, where
    they do not give the bits of their references on this machine.
    """
    return _load()[0]


def show_config():
    """Prints which form of the kernels is in use, and why."""
    sys.stdout.write('kernels: %s\n' % _load()[1])


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
    if not _gives_the_same_bits(found):
        warnings.warn(
            '%s does not give the bits of its NumPy reference on this '
            'machine, NumPy serves' % path, stacklevel=2)
        return None, 'NumPy (the self-test of %s failed)' % path
    return found, 'compiled (%s)' % path


def _declare(found):
    found.quantized_net_adam.argtypes = (
        [ctypes.c_void_p] * 4 + [ctypes.c_size_t] + [ctypes.c_float] * 5)
    found.quantized_net_adam.restype = None
    found.quantized_net_powers_of_two.argtypes = [
        ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_float]
    found.quantized_net_powers_of_two.restype = None


def _gives_the_same_bits(found):
    from quantized_net.kernels import adam

    rng = numpy.random.RandomState(0)
    # 67: a whole number of no vector
    arrays = [rng.uniform(-1, 1, 67).astype(numpy.float32) for _ in range(4)]
    arrays[3] *= arrays[3]
    others = [a.copy() for a in arrays]
    scalars = .1, .001, 1e-8, .003, 1.
    a, b = arrays, others
    adam.reference(a[0], a[1], a[2], a[3], *scalars)
    adam.call(found, b[0], b[1], b[2], b[3], *scalars)
    from quantized_net.kernels import powers_of_two

    x = numpy.concatenate([arrays[0], [0, -0., 1.4142135, 1.4142137, 9]])
    x = x.astype(numpy.float32)
    arrays.append(powers_of_two.reference(x, 2.))
    others.append(powers_of_two.call(found, x, 2.))
    return all((a == b).all() for a, b in zip(arrays, others))
