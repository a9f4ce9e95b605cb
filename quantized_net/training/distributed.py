"""Several processes that train one network, over MPI and ChainerMN."""

import contextlib
import os
import shutil
import sys
import time

import chainer
from chainer import links as L
import numpy

from quantized_net import _process
from quantized_net import errors
from quantized_net import links
from quantized_net import ranks as ranks_module

COMMUNICATORS = ('naive', 'flat', 'pure_nccl')

_PASSES_ON = .5  # seconds
_current = ranks_module.ALONE  # type: ranks_module.Alone


def current():
    """The ranks of this run (:class:`~quantized_net.ranks.Alone`)."""
    return _current


def start(name):
    """Joins the processes that MPI's launcher has started.

    Args:
        name (str or None): Of ChainerMN's communicator; ``None`` for a run
            of one process.

    Returns:
        ~quantized_net.ranks.Alone

    Raises:
        ~quantized_net.UserError: Where MPI can not be used, or several
            processes were started without a communicator.

    """
    global _current
    if name is None:
        size = _process.launched()[1]
        if size is not None and size > 1:
            raise errors.UserError(
                '%d processes were started: say how they are to train '
                'together, as with --communicator naive' % size)
        return _current
    try:
        from mpi4py import MPI
        import chainermn
    except ImportError as e:
        raise errors.UserError(
            '--communicator %s needs mpi4py (%s): make setup EXTRAS=mpich, '
            "or EXTRAS=mpi for the machine's own MPI" % (name, e))
    except RuntimeError as e:
        raise errors.UserError(
            '--communicator %s: mpi4py finds no MPI (%s): make setup '
            'EXTRAS=mpich brings one' % (name, e))
    try:
        communicator = chainermn.create_communicator(name, MPI.COMM_WORLD)
    except (ImportError, RuntimeError) as e:
        raise errors.UserError(
            "--communicator %s: %s (NCCL comes with the extras 'cuda12' and "
            "'cuda13')" % (name, ' '.join(str(e).split())))
    expected = _process.launched()[1]
    if expected is not None and expected != communicator.size:
        raise errors.UserError(
            'the launcher started %d processes, and MPI knows of %d: '
            'mpiexec and mpi4py belong to different MPIs; use the mpiexec '
            'that mpi4py was made for' % (expected, communicator.size))
    _current = Ranks(communicator)
    return _current


def _rank():
    """Of this process, also before MPI is started."""
    return _current.rank or _process.launched()[0] or 0


@contextlib.contextmanager
def one_speaks():
    """Connects the standard streams of all ranks but the first to nothing."""
    if _rank() == 0:
        yield
        return
    before = sys.stdout, sys.stderr
    with open(os.devnull, 'w') as null:
        sys.stdout = sys.stderr = null
        try:
            yield
        finally:
            sys.stdout, sys.stderr = before


def said(message):
    """What this rank says of the end, if anything.

    Args:
        message (str or None): Of the error that has ended it.

    """
    if message is None or _current.size > 1 and not _current.all_end:
        return message and 'rank %d: %s' % (_current.rank, message)
    return message if _rank() == 0 else None


def end(status):
    """Ends MPI, where it was started; see :meth:`Ranks.end`."""
    _current.end(status)


def check_device(name, gpu):
    """Refuses a communicator that the device has no use for.

    Args:
        name (str or None): Of the communicator.
        gpu (int): Number of the GPU; negative for the CPU.

    """
    if name in ('flat', 'pure_nccl') and gpu < 0:
        raise errors.UserError(
            '--communicator %s is for GPUs, one for each process: add --gpu; '
            'on the CPU there is naive' % name)


class Ranks(ranks_module.Alone):

    """The processes of an MPI communicator.

    Args:
        communicator: ChainerMN's.

    """

    def __init__(self, communicator):
        self.communicator = communicator
        self.mpi = communicator.mpi_comm
        self.rank = communicator.rank
        self.size = communicator.size
        self.local_rank = communicator.intra_rank
        self.all_end = False
        self._folders = []  # type: list[str]
        self._stream = None  # of a GPU
        names = self.mpi.allgather((os.uname().nodename, os.getpid()))
        self.title = '%d (%s): %s' % (
            self.size, type(communicator).__name__.removesuffix(
                'Communicator'),
            ', '.join('%s:%d' % name for name in names))

    def __deepcopy__(self, memo):
        return self

    def first(self, flag):
        mine = numpy.array(self.rank if flag else self.size)
        self.mpi.Allreduce(self._in_place(), mine, self._op('MIN'))
        return int(mine) if mine < self.size else None

    def named(self, rank):
        return ' on rank %d' % rank if self.size > 1 else ''

    def ending(self, error):
        self.all_end = True
        return error

    def on_first(self, function):
        result = message = None
        if self.rank == 0:
            try:
                result = function()
            except errors.UserError as e:
                message = str(e)
        result, message = self.mpi.bcast((result, message))
        if message is not None:
            raise self.ending(errors.UserError(message))
        return result

    def on_all(self, function):
        result = message = None
        for turn in (True, False):
            if (self.rank == 0) == turn:
                try:
                    result = function()
                except errors.UserError as e:
                    message = str(e)
            messages = self.mpi.allgather(message)
            rank = next((i for i, m in enumerate(messages) if m), None)
            if rank is not None:
                raise self.ending(errors.UserError('%s%s' % (
                    'rank %d: ' % rank if rank else '', messages[rank])))
        return result

    def share(self, link):
        for _, param in sorted(link.namedparams()):
            if param.array is not None:
                param.array[...] = self._of_first(param.array, param.device)
        for child, name in _persistents(link):
            value = child.__dict__[name]
            if isinstance(value, chainer.get_array_types()):
                value[...] = self._of_first(value, child.device)
            else:
                child.__dict__[name] = self.mpi.bcast(value)

    def _of_first(self, array, device):
        host = numpy.ascontiguousarray(
            chainer.get_device('@numpy').send(array))
        if host.dtype == numpy.float16:  # MPI knows no such numbers
            return device.send(self.mpi.bcast(host))
        if host is array:
            host = host.copy()
        self.mpi.Bcast(host)
        return device.send(host)

    def average(self, link):
        arrays = [(child.device, child.__dict__[name])
                  for child, name in _persistents(link)]
        arrays = [(device, a) for device, a in arrays
                  if isinstance(a, chainer.get_array_types())
                  and a.dtype.kind == 'f']
        if not arrays:
            return
        host = chainer.get_device('@numpy')
        # of equal numbers the mean is that number: their sum is exact
        mean = self.total(numpy.concatenate([
            host.send(a).ravel().astype(numpy.float64)
            for _, a in arrays])) / self.size
        parts = numpy.split(mean, numpy.cumsum([a.size for _, a in arrays]))
        for (device, a), part in zip(arrays, parts):
            a[...] = device.send(part.reshape(a.shape).astype(a.dtype))

    def total(self, array):
        host = chainer.get_device('@numpy').send(array)
        result = numpy.empty_like(host)
        self.mpi.Allreduce(host, result)
        if host is array:
            return result
        return chainer.backend.get_device_from_array(array).send(result)

    def synchronize(self, model):
        """Lets BatchNormalization see the batches of all ranks as one.

        Raises:
            ~quantized_net.UserError: Where a link of another kind can't.

        """
        for name, link in model.namedlinks():
            if not isinstance(link, L.BatchNormalization):
                continue
            if type(link) is not links.BatchNormalization:
                raise errors.UserError(
                    '--multi-node-bn: %s is a %s, which sees the images of '
                    'one process alone' % (name, type(link).__name__))
            link.total = self.total

    def check_layout(self, model):
        """Refuses what ChainerMN would silently leave as it is.

        Raises:
            ValueError: For a gradient or parameter that is not C-contiguous.

        """
        for name, param in model.namedparams():
            for kind, array in (('gradient', param.grad),
                                ('parameter', param.array)):
                if array is not None and not array.flags.c_contiguous:
                    raise ValueError(
                        'the %s %s is not C-contiguous: ChainerMN would not '
                        'average it' % (kind, name))

    @contextlib.contextmanager
    def own_stream(self, device, *numbers):
        """Random numbers of this rank alone, of a seed of their own.

        Outside of it all ranks draw the same: the order of the data, what
        an optimizer rounds at random.

        Args:
            device (~chainer.backend.Device): What the run computes on.
            numbers: Whole numbers that the stream depends on beside the
                rank: the seed of the run and the iteration.  On a GPU those
                of the first call hold for all.

        """
        state = numpy.random.get_state()
        numpy.random.seed([self.rank, *numbers])
        xp = device.xp
        if xp is not numpy:
            shared = xp.random.generator.get_random_state()
            if self._stream is None:
                self._stream = xp.random.RandomState(
                    numpy.random.randint(1 << 31))
            xp.random.generator.set_random_state(self._stream)
        try:
            yield
        finally:
            numpy.random.set_state(state)
            if xp is not numpy:
                xp.random.generator.set_random_state(shared)

    def folder(self, path):
        """The folder that this rank writes to: that of the run, or another.

        The others' are removed at the end, or by the next run.
        """
        if self.rank == 0:
            return path
        self._folders.append(os.path.join(path, '.rank%d' % self.rank))
        return self._folders[-1]

    def end(self, status):
        """Ends this process, and with it all others where they go on.

        Args:
            status (int): The exit status.

        """
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)
        if status and not self.all_end:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            # the launcher passes on what was written before it ends
            time.sleep(_PASSES_ON)
            self.mpi.Abort(status)
        self.mpi.Barrier()

    @staticmethod
    def _in_place():
        from mpi4py import MPI
        return MPI.IN_PLACE

    @staticmethod
    def _op(name):
        from mpi4py import MPI
        return getattr(MPI, name)


def _persistents(link):
    """Pairs of link and name, of the values beside the parameters."""
    return [(child, name) for _, child in sorted(link.namedlinks())
            for name in sorted(child._persistent)]
