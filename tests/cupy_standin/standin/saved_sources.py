"""Kernels as CuPy would hand them to NVRTC, saved for tools/check_cuda.py.

CUPY_STANDIN_SOURCES names the folder; nothing is saved without it.
"""

import hashlib
import os

from standin import parameters

_INCLUDES = ''.join('#include <cupy/%s>\n' % name for name in (
    'complex.cuh', 'carray.cuh', 'atomics.cuh', 'math_constants.h'))


def write(name, code):
    """Writes a source, named by what it holds."""
    folder = os.environ.get('CUPY_STANDIN_SOURCES')
    if not folder:
        return
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, '%s-%s.cu' % (
        name, hashlib.sha256(code.encode()).hexdigest()[:12]))
    with open(path, 'w') as f:
        f.write(code)


def save(kernel, types, are_arrays, arrays):
    """Writes CuPy's form of an elementwise or reduction kernel.

    Args:
        kernel (~standin.kernel.Kernel): Which.
        types (dict): Of its placeholders.
        are_arrays (list of bool): Which arguments are arrays.
        arrays (list): NumPy arrays, of scalars too.

    """
    if not os.environ.get('CUPY_STANDIN_SOURCES'):
        return
    groups = _groups(kernel)
    plain = [not p.raw and is_array
             for p, is_array in zip(kernel.params, are_arrays)]
    ndims = [_ndim([a for a, take in list(zip(arrays, plain))[group] if take])
             for group in groups]
    key = (tuple(sorted(types.items())), tuple(are_arrays), tuple(ndims),
           tuple([(a.ndim, a.flags.c_contiguous) for a in arrays]))
    if key in kernel.saved:
        return
    kernel.saved.add(key)
    params = []
    for k, (p, is_array, a) in enumerate(
            zip(kernel.params, are_arrays, arrays)):
        ctype = parameters.c_type(a.dtype)
        if is_array:
            ndim = ndims[0] if k < kernel.nin else ndims[-1]
            ctype = 'CArray<%s, %d, %d, 1>' % (
                ctype, a.ndim if p.raw else ndim, a.flags.c_contiguous)
        params.append('%s%s %s%s' % (
            'const ' if p.is_const else '', ctype,
            '_raw_' if is_array and not p.raw else '', p.name))
    head = _INCLUDES
    if any(a.dtype.char == 'e' for a in arrays):
        head += '#include <cupy/float16.cuh>\n'
    write(kernel.name, kernel.cuda_source(
        head + kernel.typedefs(types), ', '.join(params),
        ['CIndexer<%d, 1>' % ndim for ndim in ndims], are_arrays))


def _groups(kernel):
    """The arguments that share an indexer: all, or inputs and outputs."""
    if hasattr(kernel, 'map_expr'):
        return [slice(0, kernel.nin), slice(kernel.nin, None)]
    return [slice(None)]


def _ndim(arrays):
    """Of the loop, after CuPy has merged the axes of contiguous arrays."""
    if not arrays:
        return 1
    ndim = arrays[0].ndim
    return min(ndim, 1) if all(
        a.flags.c_contiguous for a in arrays) else ndim
