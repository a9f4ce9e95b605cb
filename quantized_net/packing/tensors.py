"""The arrays of a network: floats, or packed codes with their codebook."""

import math

import numpy

from . import codes as codes_module
from .codebook import Codebook


class FloatTensor(object):

    """An array of float32.

    Attributes:
        values (numpy.ndarray): The array.

    """

    def __init__(self, values):
        values = numpy.asarray(values)
        if values.dtype != numpy.float32:
            raise ValueError('values are %s, not float32' % values.dtype)
        self.values = values

    @property
    def shape(self):
        return self.values.shape

    @property
    def nbytes(self):
        """Bytes in a file."""
        return self.values.nbytes

    def bytes_of_file(self):
        """What is in a file: a little-endian float32 array, as it is."""
        return numpy.ascontiguousarray(self.values, '<f4')


class PackedTensor(object):

    """An array of packed codes.

    In a file it is one array of bytes: the codebook's, then the codes'.

    Args:
        packed (numpy.ndarray): Bytes of the codes (uint8).
        coding (str): See :mod:`~quantized_net.packing.codes`.
        shape (tuple of ints): Of the array.
        codebook (~quantized_net.packing.Codebook): What the codes stand for.

    Raises:
        ValueError: Where a code is beyond the codebook, the bytes do not fit
            the shape, or what is left of the last one is not zero.

    """

    def __init__(self, packed, coding, shape, codebook):
        self.packed = packed
        self.coding = coding
        self.shape = tuple(shape)
        self.codebook = codebook
        rows = codebook.values.ndim == 2 and len(codebook.values)
        if rows is not False:
            size = math.prod(self.shape)
            run = codebook.run or size // max(self.shape[0], 1)
            if -(-size // max(run, 1)) != rows or rows < 1:
                raise ValueError('%d rows of a codebook for the shape %s' % (
                    rows, self.shape))
        codes = self.codes()
        if codes.size and codes.max() >= len(codebook):
            raise ValueError('a code %d, of %d values' % (
                codes.max(), len(codebook)))

    @classmethod
    def of_codes(cls, codes, codebook, ternary='base3'):
        """Packs codes (numpy.ndarray) as small as they get."""
        coding = codes_module.coding_of(len(codebook), ternary)
        return cls(codes_module.pack(codes, coding), coding, codes.shape,
                   codebook)

    def codes(self):
        """The codes (uint8 or uint16), of the tensor's shape."""
        return codes_module.unpack(self.packed, self.coding, self.shape)

    @property
    def values(self):
        """The values (numpy.ndarray of float32), made anew at each call."""
        return self.codebook[self.codes()]

    @property
    def nbytes(self):
        """Bytes in a file."""
        return self.codebook.nbytes + self.packed.nbytes

    def bytes_of_file(self):
        """What is in a file (numpy.ndarray of uint8)."""
        return numpy.concatenate([
            numpy.frombuffer(self.codebook.tobytes(), numpy.uint8),
            self.packed])

    def describe(self):
        """What a file says of it beside its bytes (dict for JSON)."""
        described = {'coding': self.coding, 'shape': list(self.shape)}
        codebook = self.codebook
        if codebook.rule != 'table':
            described['rule'] = codebook.rule
            return described
        described['values'] = len(codebook)
        if codebook.values.ndim == 2:
            described['rows'] = len(codebook.values)
        if codebook.run is not None:
            described['run'] = codebook.run
        return described

    @classmethod
    def of_file(cls, content, described):
        """The tensor of bytes and of what is said of them.

        Args:
            content (numpy.ndarray): Bytes (uint8), of shape (n,).
            described (dict): As from :meth:`describe`; the types of its
                values have been checked.

        Raises:
            ValueError: Where they do not fit together.

        """
        coding, shape = described['coding'], tuple(described['shape'])
        n = codes_module.n_bytes(math.prod(shape), coding)
        if n > content.size:
            raise ValueError('%d bytes, %d codes in %s take %d' % (
                content.size, math.prod(shape), coding, n))
        book = content[:content.size - n].tobytes()
        codebook = Codebook.frombytes(
            described.get('rule', 'table'), book, described.get('values'),
            described.get('rows'), described.get('run'))
        return cls(content[content.size - n:], coding, shape, codebook)
