"""A stand-in for CuPy 14 that computes on the host: see `standin`."""

from standin import functions as _functions
from standin.array import ndarray  # noqa: F401
from standin.conversion import is_array as _is_array
from standin.creation import (  # noqa: F401
    array, asarray, ascontiguousarray, asnumpy, copyto, empty, empty_like,
    may_share_memory, may_share_memory as shares_memory)
from standin.elementwise import ElementwiseKernel  # noqa: F401
from standin.memo import clear_memo, fuse, memoize  # noqa: F401
from standin.raw_kernel import RawKernel  # noqa: F401
from standin.reduction import ReductionKernel  # noqa: F401
from standin.ufunc import ufunc  # noqa: F401

__version__ = '14.2.0'
asanyarray = asarray
bool_ = bool
newaxis = None

from cupy import cuda, lib, linalg, random  # noqa: E402, F401

is_available = cuda.is_available
get_default_memory_pool = cuda.get_default_memory_pool
get_default_pinned_memory_pool = cuda.get_default_pinned_memory_pool


def get_array_module(*args):
    import cupy
    import numpy
    return cupy if any(_is_array(a) for a in args) else numpy


def __getattr__(name):
    if name.startswith('__'):
        raise AttributeError(name)
    found = globals()[name] = _functions.get(name)
    return found
