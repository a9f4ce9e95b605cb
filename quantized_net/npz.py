"""npz files of anybody: no code runs, and memory is bounded beforehand."""

import contextlib
import io
import math
import os
import zipfile

import numpy

from quantized_net import errors

_HEADER = 1 << 16  # bytes of an array's header; NumPy's own have 128
_DIRECTORY = 1 << 24  # bytes of the zip's directory, some 100 for an array
_PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Archive(object):

    """The arrays of an npz file, of which the headers are known first.

    Only plain arrays are read: no pickled ones, which can run code, and
    none that is encrypted or packed in a way that NumPy does not write.  An
    array is read where its size in the file is the one that its header
    states, and its checksum is right.

    Args:
        path (str): Of the file.
        limit (int): The largest size of an array that is read, in bytes.

    Attributes:
        ~Archive.headers (dict): From the name of an array to its shape and
            dtype.

    Raises:
        ~quantized_net.UserError: Here and in the methods: where the file
            can't be read or is no such one, by name.

    """

    def __init__(self, path, limit):
        self._path = path
        self._limit = limit
        self.headers = {}
        self._members = {}
        with self._naming('can not be read'):
            self._file = _BoundedFile(path)
        try:
            with self._naming('is damaged or no npz file'):
                self._zip = zipfile.ZipFile(self._file)
                for member in self._zip.infolist():
                    self._add(member)
        except BaseException:
            self._file.close()
            raise
        self._file.limit = max(limit, _DIRECTORY)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self._zip.close()
        self._file.close()

    def read(self, name):
        """Returns an array.

        Args:
            name (str): One of those of :attr:`headers`.

        Returns:
            numpy.ndarray

        """
        shape, dtype = self.headers[name]
        size = math.prod(shape) * dtype.itemsize
        with self._naming('is damaged'):
            _check(not dtype.hasobject,
                   '%s is pickled, which could run code' % name)
            _check(size <= self._limit, '%s has %d bytes, at most %d were '
                   'expected' % (name, size, self._limit))
            with self._zip.open(self._members[name]) as f:
                _, _, is_fortran, start = _read_header(f)
                # the byte beyond is not there, and at the end of a member
                # its checksum is compared
                content = start + f.read(max(size - len(start), 0) + 1)
            _check(len(content) == size, '%s has not the size that its '
                   'header states' % name)
            return numpy.ndarray(
                shape, dtype, bytearray(content),
                order='F' if is_fortran else 'C')

    def read_as(self, wanted):
        """Returns arrays that must have these shapes and dtypes.

        Args:
            wanted (dict): From names to shapes and dtypes.

        Returns:
            dict: From the names to the arrays.

        """
        with self._naming('holds something else'):
            for name, (shape, dtype) in wanted.items():
                _check(name in self.headers, 'it lacks %s' % name)
                _check(self.headers[name] == (shape, dtype),
                       '%s is %s of shape %s, not %s of shape %s' % (
                           name, *reversed(self.headers[name]),
                           numpy.dtype(dtype), shape))
        return {name: self.read(name) for name in wanted}

    def _add(self, member):
        name = member.filename.removesuffix('.npy')
        _check(not member.flag_bits & 1, '%s is encrypted' % name)
        _check(member.compress_type in _PLAIN,
               '%s is packed in an unknown way' % name)
        _check(name not in self.headers, '%s is there twice' % name)
        with self._zip.open(member) as f:
            shape, dtype, _, _ = _read_header(f)
        self.headers[name] = shape, dtype
        self._members[name] = member

    @contextlib.contextmanager
    def _naming(self, what):
        try:
            yield
        except MemoryError:
            raise
        except Exception as e:  # zipfile and NumPy raise all kinds of them
            why = getattr(e, 'strerror', None) or str(e) or type(e).__name__
            raise errors.UserError('%s %s (%s)' % (self._path, what, why))


class _BoundedFile(io.FileIO):

    """A file of which a limited number of bytes is read at a time."""

    limit = _DIRECTORY

    def read(self, size=-1):
        left = max(os.fstat(self.fileno()).st_size - self.tell(), 0)
        size = left if size is None or size < 0 else min(size, left)
        _check(size <= self.limit, 'a part of it has %d bytes' % size)
        return super(_BoundedFile, self).read(size)


def _read_header(f):
    """Shape, dtype, whether Fortran's order, what was read beyond them."""
    head = f.read(_HEADER)
    stream = io.BytesIO(head)
    version = numpy.lib.format.read_magic(stream)
    read = (numpy.lib.format.read_array_header_1_0 if version == (1, 0)
            else numpy.lib.format.read_array_header_2_0)
    shape, is_fortran, dtype = read(stream)
    _check(all(n >= 0 for n in shape), 'negative shape %s' % (shape,))
    return shape, dtype, is_fortran, head[stream.tell():]


def _check(holds, why):
    if not holds:
        raise ValueError(why)
