"""Between the stand-in's arrays and NumPy's."""

import numpy

SCALARS = (bool, int, float, complex, numpy.generic)

_array_type = None  # set by array.py, which needs this module


def unsupported(x):
    """Raises CuPy's error for an argument that is none of its arrays."""
    raise TypeError('Unsupported type %s' % type(x))


def is_array(x):
    return isinstance(x, _array_type)


def of(a):
    """The stand-in's array over a NumPy array."""
    x = _array_type.__new__(_array_type)
    x._a = a
    return x


def raw(x):
    """What NumPy gets for an argument of a function.

    Raises:
        TypeError: For a NumPy array, as CuPy does.

    """
    if is_array(x):
        return x._a
    if type(x) in (list, tuple):
        return type(x)([raw(v) for v in x])
    if isinstance(x, numpy.ndarray) or (
            hasattr(x, 'dtype') and hasattr(x, 'shape')
            and not isinstance(x, (numpy.generic, type))):
        unsupported(x)
    return x


def operand(x):
    """What NumPy computes with for an argument of a ufunc."""
    if is_array(x):
        return x._a
    if type(x) in (bool, int, float, complex) or isinstance(x, numpy.generic):
        return x
    unsupported(x)


def wrap(y, known=()):
    """The stand-in's arrays for what NumPy gave.

    ``known`` are arrays that keep their identity.
    """
    for x in known:
        if is_array(x) and x._a is y:
            return x
    if isinstance(y, (numpy.ndarray, numpy.generic)):
        return of(numpy.asarray(y))
    if isinstance(y, list):
        return [wrap(v) for v in y]
    if isinstance(y, tuple):  # named ones too
        return tuple([wrap(v) for v in y])
    return y


def quiet(f, *args, **kwargs):
    """Calls a function of NumPy without its warnings: a GPU has none."""
    with numpy.errstate(all='ignore'):
        return f(*args, **kwargs)


def fill_fresh(a):
    """Makes the use of memory that nobody has written to be seen."""
    if a.dtype.kind in 'fc':
        a.fill(numpy.nan)
    elif a.dtype.kind in 'iu':
        a.fill(77)
    return a
