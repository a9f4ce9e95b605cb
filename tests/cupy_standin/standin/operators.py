"""Arithmetic, comparisons and in-place operators of the array."""

import numpy

from standin import conversion
from standin import meter

_ARITHMETIC = {
    'add': 'add', 'sub': 'subtract', 'mul': 'multiply',
    'truediv': 'true_divide', 'floordiv': 'floor_divide', 'mod': 'remainder',
    'pow': 'power', 'lshift': 'left_shift', 'rshift': 'right_shift',
    'and': 'bitwise_and', 'or': 'bitwise_or', 'xor': 'bitwise_xor',
    'matmul': 'matmul', 'divmod': 'divmod'}
_COMPARISONS = {
    'lt': 'less', 'le': 'less_equal', 'gt': 'greater', 'ge': 'greater_equal',
    'eq': 'equal', 'ne': 'not_equal'}
_UNARY = {'neg': 'negative', 'pos': 'positive', 'abs': 'absolute',
          'invert': 'invert'}


def compute(f, *args, **kwargs):
    """Calls a ufunc of NumPy; the result is C-ordered, as CuPy's is."""
    meter.launch(f.__name__)
    if f.signature is None and 'out' not in kwargs:
        kwargs['order'] = 'C'
    return conversion.quiet(f, *args, **kwargs)


def _is_for_other(other):
    """Whether the other object's own operator comes first."""
    return not conversion.is_array(other) and getattr(
        other, '__array_priority__', 0) > 100


def _forward(f):
    def method(self, other):
        if _is_for_other(other):
            return NotImplemented
        return conversion.wrap(compute(f, self._a, conversion.operand(other)))
    return method


def _reflected(f):
    def method(self, other):
        if _is_for_other(other):
            return NotImplemented
        return conversion.wrap(compute(f, conversion.operand(other), self._a))
    return method


def _in_place(f):
    def method(self, other):
        if _is_for_other(other):
            return NotImplemented
        compute(f, self._a, conversion.operand(other), out=self._a)
        return self
    return method


def _unary(f):
    return lambda self: conversion.wrap(compute(f, self._a))


def add_to(cls):
    """Gives a class its operators."""
    for name, numpy_name in _ARITHMETIC.items():
        f = getattr(numpy, numpy_name)
        setattr(cls, '__%s__' % name, _forward(f))
        setattr(cls, '__r%s__' % name, _reflected(f))
        if f.nout == 1:
            setattr(cls, '__i%s__' % name, _in_place(f))
    for name, numpy_name in _COMPARISONS.items():
        setattr(cls, '__%s__' % name, _forward(getattr(numpy, numpy_name)))
    for name, numpy_name in _UNARY.items():
        setattr(cls, '__%s__' % name, _unary(getattr(numpy, numpy_name)))
