"""What the compiled kernels take: the one gate before C sees an address.

Each kernel's arguments are declared here, in the order of the C function, and
:meth:`Signature.convert` lets through just those that fit: of the declared
type in this machine's byte order, aligned, as many elements as the kernel
goes over, of one shape where they are of one declared size, writable and
apart from all others where it writes.
"""

import collections
import ctypes

import numpy

_Array = collections.namedtuple(
    '_Array', 'size per typestr writes strided optional')


def _reads(*size, per=None, of='f', strided=False, optional=False):
    """An array of as many elements as the product of some sizes.

    Without a size it is one number.  It is C-contiguous, or
    ``strided``: then of the shape ``size``, and C gets its strides, in
    elements, too.  ``per`` names a size that divides the product.
    """
    return _Array(size, per, numpy.dtype(of).str, False, strided, optional)


def _writes(*size, per=None, of='f'):
    return _reads(*size, per=per, of=of)._replace(writes=True)


# Names alone are sizes; a tuple of names is a struct of them, as int64.
_FLOAT, _FLAG = 'float', 'flag'
_CONVOLUTION = (
    'n', 'c_in', 'h_in', 'w_in', 'c_out', 'h_out', 'w_out', 'h_kernel',
    'w_kernel', 'h_stride', 'w_stride', 'h_pad', 'w_pad', 'h_dilate',
    'w_dilate', 'groups', 'exact')
_POOL = (
    'n', 'c', 'h_in', 'w_in', 'h_out', 'w_out', 'h_kernel', 'w_kernel',
    'h_stride', 'w_stride', 'h_pad', 'w_pad')
_MAY_BE_ZERO = {'h_pad', 'w_pad', 'exact'}
_IMAGES = 'n', 'c_in', 'h_in', 'w_in'
_OUTPUTS = 'n', 'c_out', 'h_out', 'w_out'
_WEIGHTS = 'c_out', 'c_in', 'h_kernel', 'w_kernel'
_POOL_IN = 'n', 'c', 'h_in', 'w_in'
_POOL_OUT = 'n', 'c', 'h_out', 'w_out'

_ARGUMENTS = {
    'adam': [_writes('n'), _reads('n'), _writes('n'), _writes('n'), 'n']
    + [_FLOAT] * 5,
    'momentum_sgd': [_writes('n'), _reads('n'), _writes('n'), 'n']
    + [_FLOAT] * 3 + [_FLAG],
    'add': [_writes('n'), _reads('n'), 'n'],
    'clip': [_writes('n'), 'n', _FLOAT, _FLOAT],
    'powers_of_two': [_reads('n'), _writes('n'), 'n', _FLOAT],
    'sign': [_reads('n'), _writes('n'), 'n'],
    'fixed_point': [_reads('n'), _writes('n'), 'n'] + [_FLOAT] * 4
    + [_reads(of='Q'), _FLAG],
    'pass_inside': [_reads('n'), _reads('n'), _writes('n'), 'n', _FLOAT],
    'largest_magnitude': [_reads('n'), 'n', _writes()],
    'ternary': [_reads('n'), _writes('n'), _writes('n', of='b'), 'n']
    + [_FLOAT] * 3,
    'ternary_gradient': [
        _reads('n'), _reads('n', of='b'), _writes('n'), 'n', _FLOAT, _FLOAT,
        _writes(of='d'), _writes(of='d')],
    'convolution': [
        _CONVOLUTION, _reads(*_IMAGES, strided=True),
        _reads(*_WEIGHTS, per='groups'), _reads('c_out', optional=True),
        _writes(*_OUTPUTS)],
    'convolve_codes': [
        _CONVOLUTION, _reads(*_IMAGES), _reads(*_WEIGHTS, per='groups'),
        _reads('c_out', optional=True), _writes(*_OUTPUTS), _FLOAT, _FLOAT],
    'convolution_gradient_x': [
        _CONVOLUTION, _reads(*_OUTPUTS, strided=True),
        _reads(*_WEIGHTS, per='groups'), _writes(*_IMAGES)],
    'convolution_gradient_W': [
        _CONVOLUTION, _reads(*_IMAGES, strided=True), _reads(*_OUTPUTS),
        _writes(*_WEIGHTS, per='groups')],
    'channel_moments': [
        _reads('n', 'c'), 'n', 'c', _writes('c'), _writes('c')],
    'batch_normalization': [
        _reads('n', 'c'), _reads('n', 'c', optional=True), 'n', 'c',
        _reads('c'), _reads('c'), _reads('c'), _FLAG, _writes('n', 'c')],
    'batch_normalization_gradient': [
        _reads('n', 'c'), _reads('n', 'c'),
        _reads('n', 'c', optional=True), 'n', 'c', _reads('c'), _reads('c'),
        _reads('c'), _reads('c', optional=True), _writes('n', 'c'),
        _writes('c'), _writes('c')],
    'max_pooling': [
        _POOL, _reads(*_POOL_IN), _writes(*_POOL_OUT),
        _writes(*_POOL_OUT, of='B')],
    'max_pooling_gradient': [
        _POOL, _reads(*_POOL_OUT), _reads(*_POOL_OUT, of='B'),
        _writes(*_POOL_IN)],
    'average_pooling': [_POOL, _reads(*_POOL_IN), _writes(*_POOL_OUT)],
    'average_pooling_gradient': [
        _POOL, _reads(*_POOL_OUT), _writes(*_POOL_IN)],
    'sign_product': [
        _reads('m', 'k', strided=True), _reads('k', 'n', strided=True),
        _writes('m', 'n'), 'm', 'k', 'n'],
}


class Signature(object):

    """The arguments of a kernel.

    Args:
        arguments (list): As in the table above.

    Attributes:
        argtypes (list): Their types for :mod:`ctypes`.

    """

    def __init__(self, arguments):
        self._arguments = arguments
        self._named = [
            (i, argument) for i, argument in enumerate(arguments)
            if not isinstance(argument, _Array)
            and argument not in (_FLOAT, _FLAG)]
        self.argtypes: list = []
        for argument in arguments:
            if isinstance(argument, _Array):
                self.argtypes += [ctypes.c_void_p] * (1 + argument.strided)
            elif isinstance(argument, tuple):
                self.argtypes.append(ctypes.c_void_p)
            else:
                self.argtypes.append({
                    _FLOAT: ctypes.c_float, _FLAG: ctypes.c_int
                }.get(argument, ctypes.c_size_t))

    def convert(self, args):
        """The arguments as C takes them, or ``None`` where they do not fit.

        Args:
            args (tuple): Arrays, ``None`` for one that may lack, and Python's
                numbers (NumPy's would set the type of the arithmetic in the
                NumPy form).

        """
        sizes = self._sizes_of(args)
        if sizes is None:
            return None
        converted: list = []
        spans: list = []
        for argument, value in zip(self._arguments, args):
            if type(argument) is _Array:
                if value is None and argument.optional:
                    converted += [None] * (1 + argument.strided)
                elif not _add_array(
                        argument, value, sizes, converted, spans):
                    return None
            elif type(argument) is tuple:
                converted.append((ctypes.c_int64 * len(value))(*value))
            elif argument == _FLOAT and type(value) not in (float, int):
                return None
            else:
                converted.append(value)
        return converted

    def _sizes_of(self, args):
        """The sizes by their names, or ``None`` where one is below 1."""
        sizes: dict = {}
        for i, argument in self._named:
            if type(argument) is tuple:
                sizes.update(zip(argument, args[i]))
            else:
                sizes[argument] = args[i]
        for name, value in sizes.items():
            if value < 1 and (value < 0 or name not in _MAY_BE_ZERO):
                return None
        return sizes


def _add_array(argument, a, sizes, converted, spans):
    """Adds an array's address; answers whether the array fits.

    ``spans`` holds first and last byte of those before, and whether they are
    written.
    """
    if type(a) is not numpy.ndarray:
        return False
    size, per, typestr, writes, strided, _ = argument
    wanted = 1
    for name in size:
        wanted *= sizes[name]
    if per is not None:
        wanted //= sizes[per]
    if a.size != wanted or sizes.setdefault(size, a.shape) != a.shape:
        return False
    interface = a.__array_interface__
    address, read_only = interface['data']
    item = a.itemsize
    if (interface['typestr'] != typestr or address % item
            or writes and read_only):
        return False
    converted.append(address)
    first, last = address, address + wanted * item
    if strided:
        strides, shape = a.strides, tuple([sizes[name] for name in size])
        if a.shape != shape or any(s % item for s in strides):
            return False
        converted.append((ctypes.c_ssize_t * a.ndim)(
            *[s // item for s in strides]))
        reach = [(n - 1) * s for n, s in zip(shape, strides)]
        first = address + sum(r for r in reach if r < 0)
        last = address + sum(r for r in reach if r > 0) + item
    elif interface['strides'] is not None:  # it is None where C-contiguous
        return False
    for other_first, other_last, is_written in spans:
        if (is_written or writes) and (
                first < other_last and other_first < last):
            return False
    spans.append((first, last, writes))
    return True


SIGNATURES = {
    name: Signature(arguments) for name, arguments in _ARGUMENTS.items()}
