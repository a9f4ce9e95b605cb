"""The array: it holds one of NumPy's and is none itself."""

import functools

import numpy

from standin import conversion
from standin import indexing
from standin import meter
from standin import methods
from standin import operators


class Flags(object):

    def __init__(self, flags):
        self.c_contiguous = flags.c_contiguous
        self.f_contiguous = flags.f_contiguous
        self.owndata = flags.owndata
        self.forc = flags.forc

    def __getitem__(self, name):
        return getattr(self, name.lower())


class Memory(object):

    """Where an array begins."""

    device_id = 0

    def __init__(self, a):
        self._keep = a
        self.ptr = a.__array_interface__['data'][0]
        self.mem = self

    @property
    def device(self):
        import cupy
        return cupy.cuda.Device(0)


class ndarray(object):

    """An array of a device that is the host."""

    __array_priority__ = 100
    __hash__ = None

    def __init__(self, shape, dtype=float, memptr=None, strides=None,
                 order='C'):
        if memptr is not None or strides is not None:
            raise NotImplementedError(
                'cupy.ndarray with memptr or strides is not in the stand-in')
        self._a = conversion.fill_fresh(
            numpy.empty(shape, dtype, order or 'C'))

    # What NumPy asks

    def __array__(self, dtype=None, copy=None):
        raise TypeError(
            'Implicit conversion to a NumPy array is not allowed. Please use '
            '`.get()` to construct a NumPy array explicitly.')

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        import cupy
        out = kwargs.pop('out', None)
        if out is not None:
            kwargs['out'] = out[0]
        f = getattr(cupy, ufunc.__name__, None)
        if f is not None and method != '__call__':
            f = getattr(f, method, None)
        if f is None or any(
                not isinstance(x, (ndarray, numpy.ndarray)
                               + conversion.SCALARS)
                for x in inputs + (out or ())):
            return NotImplemented
        return f(*inputs, **kwargs)

    def __array_function__(self, func, types, args, kwargs):
        import cupy
        try:
            module = functools.reduce(
                getattr, func.__module__.split('.')[1:], cupy)
            f = getattr(module, func.__name__)
        except AttributeError:
            return NotImplemented
        if f is func or not all(
                issubclass(t, (ndarray, numpy.ndarray)) for t in types):
            return NotImplemented
        return f(*args, **kwargs)

    # Attributes

    dtype = property(lambda self: self._a.dtype)
    ndim = property(lambda self: self._a.ndim)
    size = property(lambda self: self._a.size)
    itemsize = property(lambda self: self._a.itemsize)
    nbytes = property(lambda self: self._a.nbytes)
    strides = property(lambda self: self._a.strides)
    flags = property(lambda self: Flags(self._a.flags))
    T = property(lambda self: conversion.of(self._a.T))
    real = property(lambda self: conversion.of(self._a.real))
    imag = property(lambda self: conversion.of(self._a.imag))
    data = property(lambda self: Memory(self._a))

    @property
    def shape(self):
        return self._a.shape

    @shape.setter
    def shape(self, shape):
        self._a = self._a.view()
        self._a.shape = shape

    @property
    def device(self):
        return self.data.device

    @property
    def base(self):
        base = self._a.base
        return None if base is None else conversion.of(base)

    # To the host

    def get(self, stream=None, order='C', out=None, blocking=True):
        meter.read('get')
        if out is not None:
            out[...] = self._a
            return out
        return numpy.array(self._a, order=order, copy=True)

    def item(self, *args):
        meter.read('item')
        return self._a.item(*args)

    def tolist(self):
        meter.read('tolist')
        return self._a.tolist()

    def tobytes(self, order='C'):
        meter.read('tobytes')
        return self._a.tobytes(order)

    def __bool__(self):
        meter.read('bool')
        return bool(self._a)

    def __int__(self):
        meter.read('int')
        return int(self._a)

    def __float__(self):
        meter.read('float')
        return float(self._a)

    def __complex__(self):
        meter.read('complex')
        return complex(self._a)

    def __index__(self):
        meter.read('index')
        return self._a.__index__()

    def __repr__(self):
        meter.read('repr')
        return repr(self._a)

    def __str__(self):
        meter.read('str')
        return str(self._a)

    def __format__(self, spec):
        meter.read('format')
        return format(self._a[()] if self.ndim == 0 else self._a, spec)

    # From the host

    def set(self, a, stream=None):
        if not isinstance(a, numpy.ndarray):
            raise TypeError('Only numpy.ndarray can be set to cupy.ndarray')
        if self.dtype != a.dtype:
            raise TypeError('{} array cannot be set to {} array'.format(
                a.dtype, self.dtype))
        if self.shape != a.shape:
            raise ValueError(
                'Shape mismatch. Old shape: {}, new shape: {}'.format(
                    self.shape, a.shape))
        meter.write('set')
        self._a[...] = a

    # Copies

    def __reduce__(self):
        import cupy
        return cupy.array, (self.get(),)

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        return self.copy()

    def copy(self, order='C'):
        meter.launch('copy')
        return conversion.of(self._a.copy(order))

    def astype(self, dtype, order='K', casting=None, subok=None, copy=True):
        if not copy and self.dtype == numpy.dtype(dtype) and (
                order in 'KA' or self._a.flags.c_contiguous):
            return self
        meter.launch('astype')
        return conversion.of(conversion.quiet(
            self._a.astype, dtype, order, casting or 'unsafe', copy=True))

    def view(self, dtype=None):
        return conversion.of(
            self._a.view() if dtype is None else self._a.view(dtype))

    def reduced_view(self):
        if self.ndim > 1 and self._a.flags.c_contiguous:
            return conversion.of(self._a.reshape(-1))
        return self

    def fill(self, value):
        if isinstance(value, numpy.ndarray):
            if value.ndim:
                raise ValueError(
                    'non-scalar numpy.ndarray cannot be used for fill')
            value = value.item()
        meter.launch('fill')
        conversion.quiet(self._a.fill, conversion.raw(value))

    def dot(self, b, out=None):
        import cupy
        return cupy.dot(self, b, out)

    def scatter_add(self, slices, value):
        import cupyx
        cupyx.scatter_add(self, slices, value)

    # Items

    __getitem__ = indexing.getitem
    __setitem__ = indexing.setitem

    def __len__(self):
        return len(self._a)

    def __iter__(self):
        if not self.ndim:
            raise TypeError('iteration over a 0-d array')
        return (self[i] for i in range(len(self)))

    def __contains__(self, x):
        raise TypeError('in: cupy.ndarray has no __contains__ that is fast')

    def __getattr__(self, name):
        raise AttributeError(
            "'cupy.ndarray' of the stand-in has no attribute %r" % name)


conversion._array_type = ndarray
operators.add_to(ndarray)
methods.add_to(ndarray)
