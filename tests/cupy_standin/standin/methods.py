"""Methods of the array that NumPy's arrays have too."""

from standin import conversion
from standin import meter

_VIEWS = ('diagonal', 'ravel', 'reshape', 'squeeze', 'swapaxes', 'transpose')
# name: keyword arguments
_COMPUTING = {
    'all': 'axis out keepdims', 'any': 'axis out keepdims',
    'argmax': 'axis out dtype keepdims', 'argmin': 'axis out dtype keepdims',
    'argpartition': 'kth axis', 'argsort': 'axis',
    'choose': 'choices out mode',
    'clip': 'min max out', 'compress': 'condition axis out', 'conj': '',
    'cumprod': 'axis dtype out', 'cumsum': 'axis dtype out',
    'flatten': 'order', 'max': 'axis out keepdims',
    'mean': 'axis dtype out keepdims', 'min': 'axis out keepdims',
    'nonzero': '', 'partition': 'kth axis', 'prod': 'axis dtype out keepdims',
    'put': 'indices values mode', 'repeat': 'repeats axis',
    'round': 'decimals out', 'sort': 'axis',
    'std': 'axis dtype out ddof keepdims',
    'sum': 'axis dtype out keepdims', 'take': 'indices axis out',
    'trace': 'offset axis1 axis2 dtype out',
    'var': 'axis dtype out ddof keepdims'}
_READS = ('nonzero',)


def _view(name):
    def method(self, *args, **kwargs):
        return conversion.wrap(getattr(self._a, name)(*args, **kwargs), [self])
    return method


def _computing(name, keywords):
    def method(self, *args, **kwargs):
        for k in kwargs:
            if k not in keywords:
                raise TypeError(
                    'ndarray.%s() of CuPy has no argument %r' % (name, k))
        meter.launch(name)
        if name in _READS:
            meter.read(name)
        y = conversion.quiet(
            getattr(self._a, name), *[conversion.raw(a) for a in args],
            **{k: conversion.raw(v) for k, v in kwargs.items()})
        out = kwargs.get('out')
        return out if out is not None else conversion.wrap(y, [self])
    return method


def add_to(cls):
    """Gives a class these methods."""
    for name in _VIEWS:
        setattr(cls, name, _view(name))
    for name, keywords in _COMPUTING.items():
        setattr(cls, name, _computing(name, keywords.split()))
