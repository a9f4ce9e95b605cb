"""The folder of a run: one run at a time, without what dead ones left."""

import fcntl
import os
import re
import shutil

from quantized_net import errors

# From the device and number of a locked folder to its descriptor.
_held = {}  # type: dict[tuple[int, int], int]


def lock(path):
    """Keeps other runs out of a folder until this process ends.

    The lock is on the folder itself and is the process's: nothing is left
    of it, whatever ends the process.  A file system without locks has none.

    Args:
        path (str): Of the folder, which is there.

    Raises:
        ~quantized_net.UserError: Where another process has it.

    """
    found = os.stat(path)
    key = found.st_dev, found.st_ino
    if key in _held:
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise errors.UserError(
            'another run is writing to the folder %s; wait for its end or '
            'name another folder' % path)
    except OSError:
        os.close(descriptor)
        return
    _held[key] = descriptor


def remove_leftovers(path):
    """Removes the half-written files of processes that are dead.

    These are the temporary files of :mod:`quantized_net.files` whose process
    is no more, the folders that Chainer's reports and snapshots are written
    in, which say nothing of their process, and those of ranks but the first:
    the folder has to be locked.

    Args:
        path (str): Of the folder.

    """
    for name in os.listdir(path):
        left = os.path.join(path, name)
        temporary = re.search(r'\.tmp([0-9]{1,9})$', name)
        # as tempfile.mkdtemp names them
        folder = re.fullmatch(
            r'(?:log|tmp(snapshot_iter_[0-9]+))[a-z0-9_]{8}', name)
        if re.fullmatch(r'\.rank[0-9]{1,9}', name):
            shutil.rmtree(left, ignore_errors=True)
        elif temporary and os.path.isfile(left):
            if not _is_alive(int(temporary.group(1))):
                os.remove(left)
        elif folder and os.path.isdir(left) and set(os.listdir(left)) <= {
                folder.group(1) or 'log.json'}:
            shutil.rmtree(left)


def _is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # of another user
        pass
    return True
