"""The published methods, a file for each; :mod:`method` states what each says.

>>> quantized_net.methods.get('bnn').quantize(model)
"""

import importlib
import pkgutil

from quantized_net import errors
from quantized_net.methods.method import Method

__all__ = ['Method', 'get', 'names']


def _find():
    found = {}
    for module in pkgutil.iter_modules(__path__):
        loaded = importlib.import_module('%s.%s' % (__name__, module.name))
        for value in vars(loaded).values():
            if isinstance(value, type) and issubclass(value, Method) and (
                    value.name is not None):
                found[value.name] = value
    return dict(sorted(found.items()))


_METHODS = _find()


def names():
    """The names of all methods (a list)."""
    return list(_METHODS)


def get(name):
    """The method of a name (:class:`Method`).

    Raises:
        ~quantized_net.UserError: Where there is none.

    """
    if name not in _METHODS:
        raise errors.UserError('unknown method %r; there are: %s' % (
            name, ', '.join(_METHODS)))
    return _METHODS[name]()
