"""Parameters of a kernel, and their types by CuPy's rules."""

import numpy

from standin import conversion

C_TYPES = {
    '?': 'bool', 'b': 'signed char', 'B': 'unsigned char', 'h': 'short',
    'H': 'unsigned short', 'i': 'int', 'I': 'unsigned int',
    'l': 'long long', 'L': 'unsigned long long', 'q': 'long long',
    'Q': 'unsigned long long', 'e': 'float16', 'f': 'float', 'd': 'double'}


def c_type(dtype):
    """The C++ type of a dtype, as CuPy names it."""
    try:
        return C_TYPES[numpy.dtype(dtype).char]
    except KeyError:
        raise NotImplementedError(
            'kernels over %s are not in the stand-in' % dtype)


class Parameter(object):

    """One of 'T x, raw float32 y'.

    Attributes:
        name (str): In the code.
        dtype (numpy.dtype or None): ``None`` for a placeholder like T.
        ctype (str): The C++ type, or the placeholder.
        raw (bool): Whether the code indexes it.

    """

    def __init__(self, text, is_const):
        words = text.split()
        if len(words) < 2:
            raise Exception('Syntax error: %s' % text)
        t, self.name = words[-2:]
        self.dtype = None if len(t) == 1 else numpy.dtype(t)
        self.ctype = t if len(t) == 1 else c_type(self.dtype)
        self.raw = 'raw' in words[:-2]
        self.is_const = is_const and '_non_const' not in words
        for w in words[:-2]:
            if w not in ('raw', '_non_const'):
                raise Exception('Unknown keyword "%s"' % w)


def parse(text, is_const):
    return [Parameter(t, is_const) for t in text.split(',') if t.strip()]


def check_arguments(args):
    """Arrays and scalars alone, as CuPy's _preprocess_args has it."""
    for a in args:
        if not conversion.is_array(a) and not isinstance(
                a, conversion.SCALARS):
            conversion.unsupported(a)
    return list(args)


def dtype_of(arg):
    """Of an array; scalars have no say in the types."""
    return arg.dtype if conversion.is_array(arg) else None


def decide_types(in_params, out_params, in_dtypes, out_dtypes):
    """As cupy._core._kernel._decide_params_type_core.

    Returns:
        tuple: Types of the inputs, of the outputs, and of the placeholders
        (a dict).

    Raises:
        KeyError: Of a placeholder that no array has.
        TypeError: Where two arrays disagree.

    """
    types = {}
    pairs = list(zip(out_params, out_dtypes)) + list(
        zip(in_params, in_dtypes))
    for p, dtype in pairs:
        if dtype is None:
            continue
        if p.dtype is not None:
            if dtype != p.dtype:
                raise TypeError('Type is mismatched. %s %s %s' % (
                    p.name, dtype, p.dtype))
        elif types.setdefault(p.ctype, dtype) != dtype:
            raise TypeError('Type is mismatched. %s %s %s %s' % (
                p.name, dtype, types[p.ctype], p.ctype))

    def resolve(params):
        return [types[p.ctype] if p.dtype is None else p.dtype
                for p in params]
    return resolve(in_params), resolve(out_params), types
