"""numpy.linalg over the arrays of the stand-in."""

import numpy as _numpy

from standin import functions as _functions

_module = _functions.Module(_numpy.linalg, 'cupy.linalg', (
    'cholesky', 'det', 'eigh', 'inv', 'lstsq', 'matrix_power', 'norm', 'pinv',
    'qr', 'slogdet', 'solve', 'svd', 'tensorinv', 'tensorsolve'))
__getattr__ = _module.get
