"""x[...] and x[...] = y."""

import numpy

from standin import conversion
from standin import meter


def key_of(key):
    """The key for NumPy; a mask has to be read before it can be used."""
    if isinstance(key, tuple):
        return tuple([key_of(k) for k in key])
    if conversion.is_array(key):
        if key.dtype.kind == 'b':
            meter.read('mask')
        return key._a
    if isinstance(key, slice):
        return slice(*[int(k) if conversion.is_array(k) else k
                       for k in (key.start, key.stop, key.step)])
    return key


def _is_gather(key):
    keys = key if isinstance(key, tuple) else (key,)
    return any(isinstance(k, (numpy.ndarray, list)) for k in keys)


def getitem(self, key):
    """A view (of shape () where NumPy gives a scalar), or a gather."""
    key = key_of(key)
    key = key if isinstance(key, tuple) else (key,)
    if _is_gather(key):
        meter.launch('take')
    if not any(k is Ellipsis for k in key):
        key += Ellipsis,
    return conversion.of(self._a[key])


def setitem(self, key, value):
    """Writes an array of the device or a scalar; see CuPy for the rest."""
    if isinstance(value, numpy.ndarray) and value.ndim:
        if not (isinstance(key, slice) and key == slice(None)):
            raise ValueError(
                'non-scalar numpy.ndarray cannot be used for fill')
        if value.dtype != self.dtype or value.shape != self.shape:
            raise ValueError(
                'copying a numpy.ndarray to a cupy.ndarray by empty slice '
                'assignment must ensure arrays have same shape and dtype')
        meter.write('setitem')
        self._a[...] = value
        return
    if isinstance(value, (list, tuple)):
        raise ValueError('non-scalar cannot be used for fill')
    meter.launch('setitem')
    if not isinstance(value, numpy.ndarray):
        value = conversion.raw(value)
    conversion.quiet(self._a.__setitem__, key_of(key), value)
