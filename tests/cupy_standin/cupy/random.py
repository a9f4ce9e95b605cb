"""CuPy's legacy generator by NumPy's: other numbers, the same arguments."""

import hashlib
import sys

import numpy

from standin import conversion
from standin import meter

# with CuPy's argument dtype
_TYPED = (
    'beta', 'binomial', 'chisquare', 'dirichlet', 'exponential', 'gamma',
    'gumbel', 'laplace', 'lognormal', 'multivariate_normal', 'normal',
    'poisson', 'rand', 'randn', 'random_sample', 'standard_cauchy',
    'standard_normal', 'uniform')
_PLAIN = ('choice', 'permutation', 'randint')


class RandomState(object):

    """Seeded by the system where no seed is given, as CuPy's is."""

    def __init__(self, seed=None, method=None):
        self._state = numpy.random.RandomState()
        self.seed(seed)

    def seed(self, seed=None):
        if isinstance(seed, numpy.ndarray):
            seed = int(hashlib.md5(
                seed, usedforsecurity=False).hexdigest()[:16], 16)
        elif seed is not None:
            if numpy.asarray(seed).dtype.kind not in 'biu':
                raise TypeError('Seed must be an integer.')
            seed = int(seed)
            if not 0 <= seed < 2 ** 64:
                raise ValueError(
                    'Seed must be an integer between 0 and 2**64 - 1')
        self._state.seed(None if seed is None else [
            seed & 0xffffffff, seed >> 32])

    def shuffle(self, a):
        meter.launch('shuffle')
        self._state.shuffle(a._a)

    def _draw(self, name, args, kwargs):
        dtype = kwargs.pop('dtype', None) if name in _TYPED else None
        meter.launch(name)
        y = numpy.asarray(getattr(self._state, name)(
            *[conversion.raw(a) for a in args],
            **{k: conversion.raw(v) for k, v in kwargs.items()}))
        return conversion.of(y if dtype is None else y.astype(dtype))


def _add(name):
    def method(self, *args, **kwargs):
        return self._draw(name, args, kwargs)
    setattr(RandomState, name, method)


for _name in _TYPED + _PLAIN:
    _add(_name)

_state = RandomState()


def get_random_state():
    return _state


def set_random_state(rs):
    global _state
    _state = rs


def reset_states():
    _state.seed()


def __getattr__(name):
    name = 'random_sample' if name in ('random', 'ranf', 'sample') else name
    if name not in _TYPED + _PLAIN + ('seed', 'shuffle'):
        raise AttributeError(
            "module 'cupy.random' of the stand-in has no attribute %r" % name)

    def f(*args, **kwargs):
        return getattr(sys.modules[__name__]._state, name)(*args, **kwargs)
    return f
