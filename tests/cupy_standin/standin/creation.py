"""Arrays from the host, to the host, and fresh ones."""

import numpy

from standin import conversion
from standin import meter


def _lists(x):
    """Lists for numpy.array, which may hold arrays of one of the kinds."""
    if conversion.is_array(x):
        return x._a
    if isinstance(x, (list, tuple)):
        kinds = {conversion.is_array(v) for v in x}
        if len(kinds) > 1 and any(isinstance(v, numpy.ndarray) for v in x):
            raise TypeError('a list of arrays of both devices')
        return [_lists(v) for v in x]
    return x


def array(obj, dtype=None, copy=True, order='K', subok=False, ndmin=0, *,
          blocking=False):
    """A copy of an array, or one from lists, scalars or a NumPy array."""
    if conversion.is_array(obj):
        same = dtype is None or obj.dtype == numpy.dtype(dtype)
        ordered = order in (None, 'K', 'A') or (
            obj._a.flags.f_contiguous if order == 'F'
            else obj._a.flags.c_contiguous)
        if not copy and same and ordered and obj.ndim >= ndmin:
            return obj
        meter.launch('array')
    else:
        if hasattr(obj, '__array_ufunc__') and not isinstance(
                obj, (numpy.ndarray, numpy.generic)):
            conversion.unsupported(obj)
        meter.write('array')
    a = conversion.quiet(numpy.array, _lists(obj), dtype, copy=True,
                         order=order or 'K', ndmin=ndmin)
    if a.dtype.kind not in '?biufc':
        raise ValueError('Unsupported dtype %s' % a.dtype)
    return conversion.of(a)


def asarray(a, dtype=None, order=None, *, copy=None, blocking=False):
    return array(a, dtype, copy=bool(copy), order=order or 'K')


def ascontiguousarray(a, dtype=None):
    x = array(a, dtype, copy=False, order='C')
    return x if x.ndim else x.reshape(1)


def asnumpy(a, stream=None, order='C', out=None, *, blocking=True):
    if conversion.is_array(a):
        return a.get(stream, order, out)
    return numpy.asarray(a, order=order)


def copyto(dst, src, casting='same_kind', where=None):
    if not conversion.is_array(src) and not isinstance(
            src, conversion.SCALARS):
        conversion.unsupported(src)
    meter.launch('copyto')
    conversion.quiet(
        numpy.copyto, dst._a, conversion.raw(src), casting=casting,
        where=True if where is None else conversion.raw(where))


def empty(shape, dtype=float, order='C'):
    return conversion.of(conversion.fill_fresh(
        numpy.empty(shape, dtype, order)))


def empty_like(prototype, dtype=None, order='K', subok=None, shape=None):
    return conversion.of(conversion.fill_fresh(numpy.empty_like(
        conversion.raw(prototype), dtype, order or 'K', shape=shape)))


def may_share_memory(a, b, max_work=None):
    return numpy.may_share_memory(a._a, b._a)
