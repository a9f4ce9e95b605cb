"""CuPy's functions by NumPy's of the same name.

signatures.txt has the names that CuPy 14.2 shares with NumPy, and the
arguments of its functions where its Python sources tell them.
"""

import functools
import os

import numpy

from standin import conversion
from standin import meter
from standin import ufunc

_VIEWS = {
    'array_split', 'atleast_1d', 'atleast_2d', 'atleast_3d',
    'broadcast_arrays', 'broadcast_to', 'diagonal', 'expand_dims', 'hsplit',
    'moveaxis', 'ravel', 'reshape', 'rollaxis', 'split', 'squeeze',
    'swapaxes', 'transpose', 'vsplit'}
# CuPy waits for these: the shape of the result depends on the values
_READS = {
    'argwhere', 'extract', 'flatnonzero', 'intersect1d', 'nonzero',
    'setdiff1d', 'union1d', 'unique'}
# about types and shapes, not values
_HOST = {
    'base_repr', 'binary_repr', 'broadcast_shapes', 'can_cast', 'common_type',
    'finfo', 'iinfo', 'isdtype', 'isfortran', 'isscalar', 'issubdtype',
    'min_scalar_type', 'ndim', 'promote_types', 'result_type', 'shape',
    'size', 'iscomplexobj', 'isrealobj'}


@functools.lru_cache(None)
def _signatures():
    path = os.path.join(os.path.dirname(__file__), 'signatures.txt')
    with open(path) as f:
        return dict(_parse(line.strip()) for line in f)


def _parse(line):
    name, _, arguments = line.partition('(')
    names = arguments.rstrip(')').split(', ') if arguments else None
    return name, names


def get(name):
    """What ``cupy.NAME`` is.

    Raises:
        AttributeError: Where CuPy has no such function, or the stand-in.

    """
    if name not in _signatures() or not hasattr(numpy, name):
        raise AttributeError(
            "module 'cupy' of the stand-in has no attribute %r" % name)
    f = getattr(numpy, name)
    if isinstance(f, numpy.ufunc):
        return ufunc.ufunc(f)
    if isinstance(f, type) or not callable(f):
        return f
    return _host(f) if name in _HOST else make(
        f, name, _signatures()[name])


def _host(f):
    def call(*args):
        return f(*[conversion.raw(a) for a in args])
    return call


def make(f, name, arguments=None):
    """A function over the stand-in's arrays.

    Args:
        f (callable): NumPy's or SciPy's.
        name (str): For counts and errors.
        arguments (list of str): That CuPy has; any where ``None``.

    """
    def call(*args, **kwargs):
        for k in kwargs:
            if arguments is not None and k not in arguments:
                raise TypeError(
                    'cupy.%s() has no argument %r' % (name, k))
        if name not in _VIEWS:
            meter.launch(name)
        if name in _READS or (name == 'where' and len(args) == 1):
            meter.read(name)
        known = list(args) + list(kwargs.values())
        if name.endswith('split') and len(args) > 1 and isinstance(
                args[1], numpy.ndarray):
            args = args[:1] + (args[1].tolist(),) + args[2:]  # as CuPy's
        y = conversion.quiet(
            f, *[conversion.raw(a) for a in args],
            **{k: conversion.raw(v) for k, v in kwargs.items()})
        out = kwargs.get('out')
        if out is not None:
            return out
        if isinstance(y, bool):
            y = numpy.asarray(y)  # allclose, array_equal: on the device
        return conversion.wrap(y, known)
    call.__name__ = name
    return call


class Module(object):

    """Functions of a module of NumPy or SciPy, by their names."""

    def __init__(self, module, name, names):
        self._module, self._name, self._names = module, name, names

    def get(self, name):
        if name not in self._names:
            raise AttributeError(
                'module %r of the stand-in has no attribute %r'
                % (self._name, name))
        return make(getattr(self._module, name), name)
