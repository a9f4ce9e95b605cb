"""RawKernel: CUDA C++ as it is, each thread a fiber of the host."""

import ctypes
import re

import numpy

from standin import compiler
from standin import conversion
from standin import kernel
from standin import meter
from standin import saved_sources

_FRAME = '''#include <algorithm>
#include "threads.h"
%(code)s
extern "C" int standin_start(
    const unsigned* grid, const unsigned* block, size_t shared, void** args) {
  body = [](void** a) { standin_call(%(name)s, a); };
  return !standin_launch(grid, block, shared, args, %(waits)d);
}
extern "C" void standin_arguments(int* sizes) {
  standin_sizes(%(name)s, sizes);
}
'''
_MAX_ARGUMENTS = 64
_DYNAMIC = re.compile(r'extern\s+__shared__\s+([\w ]+?)\s*(\w+)\s*\[\s*\]\s*;')
_WAITING = re.compile('__sync|__shfl')
_SCALARS = {bool: numpy.bool_, int: numpy.int64, float: numpy.float64}


class RawKernel(object):

    """A kernel that indexes by threadIdx and blockIdx.

    Known: shared memory, __syncthreads, __syncwarp, shuffles, atomics;
    structures by value, as NumPy arrays of one element.
    """

    def __init__(self, code, name, options=(), backend='nvrtc',
                 translate_cucomplex=False, *,
                 enable_cooperative_groups=False, jitify=False):
        kernel.check_name(name)
        if enable_cooperative_groups or jitify or translate_cucomplex:
            raise NotImplementedError(
                'options of RawKernel %s are not in the stand-in' % name)
        self.code, self.name, self.options = code, name, options
        self.backend = backend
        self._library = None

    def compile(self):
        if self._library is not None:
            return
        saved_sources.write(self.name, self.code)
        code = '\n'.join(line for line in self.code.split('\n')
                         if not line.strip().startswith('#include'))
        code = _DYNAMIC.sub(
            r'\1 *\2 = (\1*)standin_shared_memory.data();', code)
        self._library = compiler.compile(
            _FRAME % {'code': code, 'name': self.name,
                      'waits': bool(_WAITING.search(code))}, self.name)
        sizes = (ctypes.c_int * _MAX_ARGUMENTS)()
        self._library.standin_arguments(sizes)
        self._sizes = list(sizes)[:list(sizes).index(-1)]

    def __call__(self, grid, block, args, *, shared_mem=0):
        """Runs the kernel.

        Raises:
            TypeError: Where the arguments are not of the sizes that the
                kernel reads; CUDA would read past them.
            RuntimeError: Where threads wait for others that never come.

        """
        self.compile()
        values = [self._value(a) for a in args]
        if [v.nbytes for v in values] != self._sizes:
            raise TypeError(
                'kernel %s takes arguments of %s bytes, not %s' % (
                    self.name, self._sizes, [v.nbytes for v in values]))
        threads = self._three(block)
        if numpy.prod(threads) > 1024:
            raise RuntimeError('a block of %r has over 1024 threads' % (
                block,))
        meter.launch(self.name)
        addresses = (ctypes.c_void_p * max(len(values), 1))(
            *[v.__array_interface__['data'][0] for v in values])
        if self._library.standin_start(
                (ctypes.c_uint * 3)(*self._three(grid)),
                (ctypes.c_uint * 3)(*threads),
                ctypes.c_size_t(shared_mem), addresses):
            raise RuntimeError(
                'kernel %s: threads wait for others that never come'
                % self.name)

    @staticmethod
    def _three(sizes):
        sizes = sizes if isinstance(sizes, tuple) else (sizes,)
        return sizes + (1,) * (3 - len(sizes))

    @staticmethod
    def _value(a):
        """An array that holds the argument: a pointer or a number."""
        if conversion.is_array(a):
            return numpy.array(a.data.ptr, numpy.uintp)
        if type(a) in _SCALARS:
            return numpy.array(a, _SCALARS[type(a)])
        if type(a) is numpy.ndarray:
            if a.size != 1:
                raise TypeError(
                    'Only numpy.ndarrays of size one can be passed by value, '
                    'not of shape %s' % (a.shape,))
            return a
        if isinstance(a, numpy.generic) and not isinstance(a, numpy.void):
            return numpy.asarray(a)
        conversion.unsupported(a)
