"""A training script in which something happens to one rank.

faulty.py WHAT RANK ITERATION SCRIPT [OPTION ...]
"""

import errno
import os
import runpy
import signal
import sys
import time

what, rank, iteration = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
sys.argv = sys.argv[4:]
sys.path.insert(0, os.path.dirname(os.path.abspath(sys.argv[0])))

import quantized_net  # noqa: E402, F401  (before chainer)
import numpy  # noqa: E402

from quantized_net.training import distributed  # noqa: E402
from quantized_net.training import parallel  # noqa: E402

update_core = parallel._Updater.update_core
monotonic = time.monotonic
savez = numpy.savez


def full_disk(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def update(self):
    update_core(self)
    if distributed.current().rank != rank or self.iteration != iteration:
        return
    if what in ('SIGTERM', 'SIGKILL', 'SIGINT'):
        os.kill(os.getpid(), getattr(signal, what))
    elif what == 'nan':
        from chainer import reporter
        reporter.get_current_reporter().observation[
            'main/loss'] = numpy.float32('nan')
    elif what == 'exception':
        raise RuntimeError('something that nobody has thought of')
    elif what == 'clock':
        time.monotonic = lambda: monotonic() + 1e6
    elif what == 'disk':
        numpy.savez = full_disk
    else:
        raise ValueError(what)


parallel._Updater.update_core = update
runpy.run_path(sys.argv[0], run_name='__main__')
