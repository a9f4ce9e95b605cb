"""CuPy's ufuncs by NumPy's of the same name."""

from standin import conversion
from standin import indexing
from standin import meter
from standin import operators


class ufunc(object):

    """A ufunc of NumPy over the arrays of the stand-in."""

    def __init__(self, f):
        self._f = f
        self.__name__ = self.name = f.__name__
        self.nin, self.nout = f.nin, f.nout

    def __repr__(self):
        return "<ufunc '%s'>" % self.name

    def __call__(self, *args, out=None, where=True, casting='same_kind',
                 dtype=None):
        f = self._f
        if len(args) > f.nin:
            args, outs = args[:f.nin], args[f.nin:]
            out = outs if len(outs) > 1 else outs[0]
        if any(getattr(x, '__array_priority__', 0) > 100 for x in args):
            return NotImplemented
        args = [conversion.operand(x) for x in args]
        kwargs = {'casting': casting, 'dtype': dtype}
        if out is not None:
            outs = out if isinstance(out, tuple) else (out,)
            if not all(conversion.is_array(o) for o in outs):
                raise TypeError('Output arguments type must be cupy.ndarray')
            kwargs['out'] = tuple([o._a for o in outs])
        if where is not True:
            kwargs['where'] = conversion.operand(where)
        y = operators.compute(f, *args, **kwargs)
        return out if out is not None else conversion.wrap(y)

    def reduce(self, array, axis=0, dtype=None, out=None, keepdims=False):
        meter.launch(self.name + '.reduce')
        return conversion.wrap(conversion.quiet(
            self._f.reduce, conversion.operand(array), axis, dtype,
            None if out is None else out._a, keepdims))

    def at(self, a, indices, *b):
        meter.launch(self.name + '.at')
        self._f.at(a._a, indexing.key_of(indices),
                   *[conversion.operand(x) for x in b])

    def outer(self, a, b):
        meter.launch(self.name + '.outer')
        return conversion.wrap(conversion.quiet(
            self._f.outer, conversion.operand(a), conversion.operand(b)))
