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
    if not any(name in os.environ for name in (
            'MALLOC_TRIM_THRESHOLD_', 'MALLOC_MMAP_MAX_',
            'MALLOC_MMAP_THRESHOLD_', 'GLIBC_TUNABLES')):
        _keep_memory()


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
