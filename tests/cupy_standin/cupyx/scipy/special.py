"""scipy.special over the arrays of the stand-in."""

import scipy.special as _special

from standin import functions as _functions

_module = _functions.Module(_special, 'cupyx.scipy.special', (
    'digamma', 'erf', 'erfc', 'erfcinv', 'erfcx', 'erfinv', 'gammaln',
    'log_ndtr', 'ndtr', 'ndtri', 'polygamma', 'zeta'))
__getattr__ = _module.get
