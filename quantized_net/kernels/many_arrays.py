"""CUDA kernels over many arrays at once.

A step of a small network launches more kernels than it computes: a hundred
parameters are a hundred updates of a few microseconds.  A kernel here takes a
table of arrays, by value as one argument, and is launched once for as many as
fit the 4 KB that an argument may have.
"""

import itertools

from chainer.backends import cuda
import numpy

N_THREADS = 256
_BLOCK = 2048  # elements of a block of threads
_TABLE_BYTES = 4000  # of 4096 for all arguments

_SOURCE = '''
typedef %(type)s T;
%(preamble)s
struct Row {
  T* arrays[%(n_arrays)d];
  long long size;
  int first_block;
  T numbers[%(n_numbers)d];
};
struct Table {
  Row rows[%(n_rows)d];
  int n;
};
extern "C" __global__ void %(name)s(const Table table) {
  /* the last row whose first block is not beyond this one */
  int row = 0, end = table.n;
  while (end - row > 1) {
    int middle = (row + end) / 2;
    if (table.rows[middle].first_block <= (int)blockIdx.x) row = middle;
    else end = middle;
  }
  const long long begin =
      (long long)((int)blockIdx.x - table.rows[row].first_block) * %(block)d;
  const long long size = table.rows[row].size;
  const long long stop = begin + %(block)d < size ? begin + %(block)d : size;
  %(arguments)s
  %(before)s
  for (long long i = begin + threadIdx.x; i < stop; i += blockDim.x) {
    %(body)s
  }
  %(after)s
}
'''
_TYPES = {'f': 'float', 'd': 'double'}


def are_fit(*arrays):
    """Whether they are CuPy's, contiguous, float32 or 64, of one type."""
    return all(
        not isinstance(a, numpy.ndarray) and a.dtype.char in _TYPES
        and a.dtype == arrays[0].dtype and a.flags.c_contiguous
        for a in arrays)


class Kernel(object):

    """A loop over the elements of many arrays.

    Args:
        name (str): Of the kernel.
        arrays (str): Names of the arrays of a row, which the body indexes by
            ``i``; those of one element are constant pointers, too.
        numbers (str): Names of the numbers of a row.
        body (str): CUDA C++ for the element ``i``; T is their type.
        before, after (str): What each thread does before and after its
            elements.
        preamble (str): What stands before the kernel.

    """

    def __init__(self, name, arrays, numbers, body, before='', after='',
                 preamble=''):
        self.name = name
        self._arrays, self._numbers = arrays.split(), numbers.split()
        self._made = {}  # type: dict
        self._parts = {
            'name': name, 'body': body, 'before': before, 'after': after,
            'preamble': preamble, 'block': _BLOCK,
            'n_arrays': len(self._arrays),
            'n_numbers': max(len(self._numbers), 1),
            'arguments': '\n  '.join(
                ['T* const %s = table.rows[row].arrays[%d];' % (a, k)
                 for k, a in enumerate(self._arrays)]
                + ['const T %s = table.rows[row].numbers[%d];' % (a, k)
                   for k, a in enumerate(self._numbers)])}

    def __call__(self, rows):
        """Runs the kernel, in as few launches as it can.

        Args:
            rows (list of tuple): The arrays of a row, then its numbers.  The
                first array tells how many elements there are; all arrays
                have to be fit (:func:`are_fit`).  The order of the rows says
                nothing.

        """
        groups = {}  # type: dict
        for row in rows:
            if row[0].size:
                a = row[0]
                groups.setdefault((a.dtype.char, a.device.id), []).append(row)
        for (char, device), group in groups.items():
            if char not in self._made:
                self._made[char] = self._make(char)
            source, table_type, n_rows = self._made[char]
            with cuda.get_device_from_id(device):
                for k in range(0, len(group), n_rows):
                    table, n_blocks = self._table(
                        group[k:k + n_rows], table_type)
                    cuda.raw(source, self.name)(
                        (n_blocks,), (N_THREADS,), (table,))

    def _make(self, char):
        """The source for a type, that of its table, and the table's rows."""
        row_type = numpy.dtype([
            ('arrays', numpy.uintp, (len(self._arrays),)),
            ('size', numpy.int64), ('first_block', numpy.int32),
            ('numbers', char, (self._parts['n_numbers'],))], align=True)
        n_rows = _TABLE_BYTES // row_type.itemsize
        return _SOURCE % dict(
            self._parts, type=_TYPES[char], n_rows=n_rows), numpy.dtype(
                [('rows', row_type, (n_rows,)), ('n', numpy.int32)],
                align=True), n_rows

    def _table(self, rows, table_type):
        """The argument, and how many blocks of threads it is for."""
        table, n = numpy.zeros(1, table_type), len(self._arrays)
        entries = table['rows'][0, :len(rows)]
        entries['arrays'] = [[a.data.ptr for a in row[:n]] for row in rows]
        entries['size'] = sizes = [row[0].size for row in rows]
        ends = list(itertools.accumulate(
            [-(-size // _BLOCK) for size in sizes]))
        entries['first_block'] = [0, *ends[:-1]]
        if self._numbers:
            entries['numbers'] = [row[n:] for row in rows]
        table['n'] = len(rows)
        return table, ends[-1]


def update(updates, one, on_gpu):
    """Makes updates: those of NumPy's arrays one by one, CuPy's together.

    Args:
        updates (list of tuple): Arguments, an array first.
        one (callable): ``one(*arguments)``.
        on_gpu (callable): ``on_gpu(updates)``.

    """
    together = []
    for arguments in updates:
        if isinstance(arguments[0], numpy.ndarray):
            one(*arguments)
        else:
            together.append(arguments)
    if together:
        on_gpu(together)
