"""Settings of the process that this package works best with.

It needs the standard library only: _bootstrap.py runs it before NumPy is
imported.
"""

import ctypes
import os
import sys

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of malloc.h


def settle_process():
    """Settles them, but for those that the user's environment has.

    The scripts do so.  OpenBLAS reads its setting when NumPy is imported, so
    after that the memory's alone is made.
    """
    # OpenBLAS's threads wait for more work with the processor busy, 20 ms
    # and longer, in the way of our own
    if 'numpy' not in sys.modules:
        os.environ.setdefault('OPENBLAS_THREAD_TIMEOUT', '4')
        _share_processors()
    if not any(name in os.environ for name in (
            'MALLOC_TRIM_THRESHOLD_', 'MALLOC_MMAP_MAX_',
            'MALLOC_MMAP_THRESHOLD_', 'GLIBC_TUNABLES')):
        _keep_memory()


def launched():
    """What MPI's launcher says of this process, where there is one.

    Returns:
        tuple: Its rank, the number of processes, and how many of them are on
        this machine; each ``None`` where it is not said.

    """
    # MPICH, Intel MPI and srun --mpi=pmi2; Open MPI
    return tuple(
        next((int(os.environ[name]) for name in names
              if os.environ.get(name, '').isdigit()), None)
        for names in (
            ('PMI_RANK', 'OMPI_COMM_WORLD_RANK'),
            ('PMI_SIZE', 'OMPI_COMM_WORLD_SIZE'),
            ('MPI_LOCALNRANKS', 'OMPI_COMM_WORLD_LOCAL_SIZE')))


def _share_processors():
    """Divides the processors among the processes of this machine.

    Both our kernels and OpenBLAS heed the variable.
    """
    n = launched()[2]
    if n is not None and n > 1 and hasattr(os, 'sched_getaffinity'):
        os.environ.setdefault('OMP_NUM_THREADS', str(
            max(len(os.sched_getaffinity(0)) // n, 1)))


def _keep_memory():
    """Lets the memory of freed arrays stay with the process.

    glibc gives that of large ones back to the system, and gets it again,
    zeroed page by page, in the next training step: up to a third of the
    step's time with one thread, and more with several.
    """
    if not sys.platform.startswith('linux'):
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, 'gnu_get_libc_version'):
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, -1)  # never
