"""What elementwise and reduction kernels share."""

import ctypes

import numpy

from standin import compiler
from standin import conversion
from standin import meter
from standin import parameters
from standin import saved_sources


class Argument(ctypes.Structure):

    """struct Argument of arrays.h."""

    _fields_ = [('data', ctypes.c_void_p), ('size', ctypes.c_ssize_t),
                ('ndim', ctypes.c_int), ('contiguous', ctypes.c_int),
                ('shape', ctypes.c_void_p), ('strides', ctypes.c_void_p)]


# Around the loop that a kernel is: an index out of bounds ends it.
FRAME = '''#include "device_functions.h"
#include "arrays.h"
%(typedefs)s%(preamble)s
static void run(const Argument* args, const ptrdiff_t* sizes) {
%(body)s
}
extern "C" int kernel(
    const Argument* args, const ptrdiff_t* sizes, ptrdiff_t* bad) {
  try {
    run(args, sizes);
  } catch (const BadIndex& e) {
    bad[0] = e.index;
    bad[1] = e.size;
    return 1;
  }
  return 0;
}
'''


def arguments(arrays):
    """The structures for arrays of NumPy, and what has to live with them."""
    keep, args = [], (Argument * len(arrays))()
    for arg, a in zip(args, arrays):
        shape = numpy.array(a.shape, numpy.intp)
        strides = numpy.array(a.strides, numpy.intp)
        keep += [a, shape, strides]
        arg.data = a.__array_interface__['data'][0]
        arg.size, arg.ndim = a.size, a.ndim
        arg.contiguous = a.flags.c_contiguous
        arg.shape, arg.strides = shape.ctypes.data, strides.ctypes.data
    return args, keep


def check_name(name):
    if not name.isidentifier():
        raise ValueError('Invalid kernel name: "%s"' % name)


class Kernel(object):

    """Parameters, their broadcast, and the compiled function of each type.

    A subclass gives ``host_body`` and ``cuda_source``.
    """

    def __init__(self, in_params, out_params, name, preamble):
        check_name(name)
        self.in_params = parameters.parse(in_params, True)
        self.out_params = parameters.parse(out_params, False)
        self.params = self.in_params + self.out_params
        self.nin, self.nout = len(self.in_params), len(self.out_params)
        self.nargs = self.nin + self.nout
        self.name = name
        self.preamble = preamble
        self.saved = set()  # of saved_sources
        self._functions = {}

    def broadcast(self, args, params):
        """The arrays that are not raw, of one shape; and that shape."""
        which = [k for k, (a, p) in enumerate(zip(args, params))
                 if conversion.is_array(a) and not p.raw]
        arrays = numpy.broadcast_arrays(*[args[k]._a for k in which])
        args = [a._a if conversion.is_array(a) else a for a in args]
        for k, a in zip(which, arrays):
            args[k] = a
        return args, arrays[0].shape if which else None

    def launch(self, types, in_types, inputs, outs, are_arrays, *sizes):
        """Compiles where needed, and runs.

        Args:
            types (dict): Of the placeholders.
            in_types (list): Types of the inputs.
            inputs (list): NumPy arrays and scalars.
            outs (list): Arrays of the stand-in.
            are_arrays (list of bool): Of all arguments.
            sizes: What the loops run over.

        Raises:
            IndexError: Where the code leaves an array.

        """
        arrays = [
            a if isinstance(a, numpy.ndarray)
            else conversion.quiet(numpy.asarray(a).astype, t)
            for a, t in zip(inputs, in_types)] + [o._a for o in outs]
        key = tuple(sorted(types.items())), tuple(are_arrays)
        f = self._functions.get(key)
        if f is None:
            f = self._functions[key] = self._compile(types, are_arrays)
        saved_sources.save(self, types, are_arrays, arrays)
        meter.launch(self.name)
        args, _ = arguments(arrays)
        bad = (ctypes.c_ssize_t * 2)()
        if f(args, (ctypes.c_ssize_t * len(sizes))(*sizes), bad):
            raise IndexError(
                'kernel %s: index %d of an array of %d'
                % (self.name, bad[0], bad[1]))

    def _compile(self, types, are_arrays):
        source = FRAME % {
            'typedefs': self.typedefs(types),
            'preamble': self._host_preamble(),
            'body': self.host_body(are_arrays)}
        return compiler.compile(source, self.name).kernel

    @staticmethod
    def typedefs(types):
        return ''.join('typedef %s %s;\n' % (parameters.c_type(t), c)
                       for c, t in sorted(types.items()))

    def _host_preamble(self):
        """Without CuPy's headers, which the host's replace."""
        return '\n'.join(line for line in self.preamble.split('\n')
                         if not line.startswith('#include'))

    def declarations(self, are_arrays):
        """What stands before the loops of the host."""
        lines = []
        for k, (p, is_array) in enumerate(zip(self.params, are_arrays)):
            const = 'const ' if p.is_const else ''
            if not is_array:
                line = 'const %s %s = *(const %s*)args[%d].data;' % (
                    p.ctype, p.name, p.ctype, k)
            else:
                line = 'const CArray<%s%s> %s%s(args[%d]);' % (
                    const, p.ctype, '' if p.raw else '_raw_', p.name, k)
            lines.append('  ' + line)
        return '\n'.join(lines)

    def elements(self, are_arrays, indexer, first=0, last=None):
        """Names for the elements of the arrays that are not raw."""
        return '\n    '.join(
            '%s%s &%s = _raw_%s[%s.get()];' % (
                'const ' if p.is_const else '', p.ctype, p.name, p.name,
                indexer)
            for p, is_array in list(zip(self.params, are_arrays))[first:last]
            if is_array and not p.raw)
