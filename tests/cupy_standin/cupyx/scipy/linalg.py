"""scipy.linalg over the arrays of the stand-in."""

import scipy.linalg as _linalg

from standin import functions as _functions

_module = _functions.Module(
    _linalg, 'cupyx.scipy.linalg', ('solve_triangular',))
__getattr__ = _module.get
