"""The memory that one step frees, for the next one."""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def keep_freed():
    """Makes glibc keep what is freed, up to a gigabyte.

    The arrays of a step are freed at its end and wanted again in the next.
    By itself glibc gives large ones back to the system, which has to clear
    their pages each time: a twentieth of a ResNet-20's step.  This is for a
    process of one's own, a training script; elsewhere than on glibc nothing
    happens.
    """
    if not sys.platform.startswith('linux'):
        return
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, 1 << 30)
        mallopt(_M_MMAP_THRESHOLD, 1 << 30)
