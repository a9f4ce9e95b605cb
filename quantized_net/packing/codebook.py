"""The values that codes stand for, by a table or by a rule."""

import math
import struct

import numpy

_UNIFORM = struct.Struct('<ddI')
_POWERS = struct.Struct('<hh')
_MOST = 1 << 16  # values

RULES = 'table', 'uniform', 'powers'


class Codebook(object):

    """What a quantizer's codes stand for.

    ``codebook[codes]`` are the values of codes, exactly those of the
    quantizer; ``nbytes`` is what the codebook takes in a file and
    :meth:`tobytes` what is there.  Make one with :meth:`table`,
    :meth:`uniform` or :meth:`powers`.

    Attributes:
        rule (str): ``'table'``, ``'uniform'`` or ``'powers'``.
        values (:ref:`ndarray`): The value of each code, shape (K,); or of a
            table (R, K), with a row for each run of codes.
        run (int or None): How many codes in C order share a row; ``None``
            for a row for each index of the first axis, where there are rows.

    """

    def __init__(self, rule, values, xp=numpy, run=None, parameters=None):
        if not 1 <= values.shape[-1] <= _MOST:
            raise ValueError('a codebook of %d values' % values.shape[-1])
        self.rule = rule
        self.values = xp.asarray(values)
        self.run = run
        self._xp = xp
        self._parameters = parameters

    @classmethod
    def table(cls, values, run=None, xp=numpy):
        """A codebook that lists its values.

        Args:
            values (:ref:`ndarray`): Floats, of shape (K,), or (R, K) with a
                row for each index of the codes' first axis, or for each run.
            run (int or None): Length of the runs; the last may be shorter.
            xp: Array module of the values, and of codes.

        """
        if values.ndim not in (1, 2) or run is not None and (
                values.ndim != 2 or run < 1):
            raise ValueError('a table of shape %s with runs of %s' % (
                values.shape, run))
        return cls('table', values, xp, run)

    @classmethod
    def uniform(cls, low, step, count, dtype=numpy.float32, xp=numpy):
        """The values low + i step, for i from 0 to count - 1.

        They are computed in float64 and rounded once.
        """
        if not 1 <= count <= _MOST:
            raise ValueError('a codebook of %d values' % count)
        if not (math.isfinite(low) and math.isfinite(step)):
            raise ValueError('low %r, step %r' % (low, step))
        values = float(low) + float(step) * numpy.arange(count)
        return cls('uniform', values.astype(dtype), xp, None,
                   (float(low), float(step), int(count)))

    @classmethod
    def powers(cls, lowest, highest, dtype=numpy.float32, xp=numpy):
        """Powers of two, from -2^highest over zero to 2^highest.

        The smallest magnitude but zero is 2^lowest.
        """
        if not -1022 <= lowest <= highest <= 1023:
            raise ValueError('exponents from %d to %d' % (lowest, highest))
        powers = [2. ** e for e in range(lowest, highest + 1)]
        values = numpy.array(
            [-p for p in powers[::-1]] + [0.] + powers, dtype)
        return cls('powers', values, xp, None, (int(lowest), int(highest)))

    @classmethod
    def frombytes(cls, rule, content, n_values=None, n_rows=None, run=None):
        """The codebook that :meth:`tobytes` wrote.

        Args:
            rule (str): One of :data:`RULES`.
            content (bytes): What was written.
            n_values, n_rows, run (int or None): Of a table.

        Raises:
            ValueError: Where they do not fit together, or a value is not
                finite.

        """
        if rule == 'table':
            shape = (n_values,) if n_rows is None else (n_rows, n_values)
            if len(content) != 4 * math.prod(shape):
                raise ValueError('a table of %d bytes' % len(content))
            values = numpy.frombuffer(content, '<f4').astype(numpy.float32)
            found = cls.table(values.reshape(shape), run)
        else:
            if rule not in RULES:
                raise ValueError('unknown rule %r' % (rule,))
            form = _UNIFORM if rule == 'uniform' else _POWERS
            if len(content) != form.size:
                raise ValueError('a rule of %d bytes' % len(content))
            make = cls.uniform if rule == 'uniform' else cls.powers
            with numpy.errstate(over='ignore'):
                found = make(*form.unpack(content))
        if not numpy.isfinite(found.values).all():
            raise ValueError('a value that is not finite')
        return found

    def on(self, xp, send):
        """The same codebook in another array module.

        Args:
            xp: The array module.
            send (callable): Makes an array of ``xp`` of one of this module.

        """
        return Codebook(self.rule, send(self.values), xp, self.run,
                        self._parameters)

    def __getstate__(self):
        # a module can not be copied; arrays that are, are NumPy's
        return dict(self.__dict__, _xp=None)

    def __setstate__(self, state):
        self.__dict__.update(state, _xp=numpy)

    def tobytes(self):
        """The bytes in a file: a float32 table, or the rule's numbers.

        Raises:
            ValueError: Of values that are not float32.

        """
        if self.values.dtype != numpy.float32:
            raise ValueError(
                'values are %s, not float32' % self.values.dtype)
        if self.rule == 'uniform':
            return _UNIFORM.pack(*self._parameters)
        if self.rule == 'powers':
            return _POWERS.pack(*self._parameters)
        values = self.values
        if not isinstance(values, numpy.ndarray):
            values = values.get()
        return numpy.ascontiguousarray(values, '<f4').tobytes()

    @property
    def nbytes(self):
        """How many bytes those are."""
        if self.rule == 'uniform':
            return _UNIFORM.size
        if self.rule == 'powers':
            return _POWERS.size
        return 4 * self.values.size

    def __len__(self):
        """How many values a code may have."""
        return self.values.shape[-1]

    def __getitem__(self, codes):
        values = self.values
        if values.ndim == 1:
            return values[codes]
        run = self.run
        if run is None:
            run = codes.size // max(len(codes), 1)
        run = max(run, 1)
        if -(-codes.size // run) != len(values):
            raise ValueError('%d rows for codes of shape %s' % (
                len(values), codes.shape))
        rows = self._xp.arange(codes.size) // run
        return values[rows, codes.ravel()].reshape(codes.shape)
