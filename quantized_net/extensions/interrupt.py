"""Ctrl-C at the end of an iteration."""

import signal
import threading
import time

from chainer.training import extension

from quantized_net import errors
from quantized_net import ranks as ranks_module


class Interrupt(extension.Extension):

    """Stops at the end of the iteration in which Ctrl-C was pressed.

    An update is never cut in two: the snapshot taken is as good as one at
    the end of an epoch.  A second Ctrl-C stops at once.  Python lets only
    the main thread take signals: in another one this does nothing.

    Args:
        snapshot: The snapshot extension to call before stopping.
        ranks (~quantized_net.ranks.Alone): Who trains: a signal to one rank
            stops all.  Their launcher may pass one on that they have
            already: what comes within a second is the same.

    Raises:
        ~quantized_net.errors.Interrupted: Out of ``trainer.run()``.

    """

    trigger = 1, 'iteration'
    priority = -1000  # after everything else of the iteration

    def __init__(self, snapshot, ranks=ranks_module.ALONE):
        self._snapshot = snapshot
        self._ranks = ranks
        self._signal = None
        self._received_at = 0.
        self._handlers = {}

    def initialize(self, trainer):
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            # None is a handler of another language, which is lost
            self._handlers[number] = (
                signal.signal(number, self._receive) or signal.SIG_DFL)

    def _receive(self, number, frame):
        if self._ranks.size > 1:
            now = time.monotonic()
            if self._signal is None:
                self._received_at = now
            if now < self._received_at + 1:
                self._signal = number
                return
        self._signal = number
        for n, handler in self._handlers.items():
            signal.signal(n, handler)

    def __call__(self, trainer):
        rank = self._ranks.first(self._signal is not None)
        if rank is not None:
            self._snapshot(trainer)
            raise self._ranks.ending(errors.Interrupted(
                'stopped%s at iteration %d' % (
                    self._ranks.named(rank), trainer.updater.iteration)))

    def finalize(self):
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
