"""Ctrl-C at the end of an iteration."""

import signal
import threading

from chainer.training import extension

from quantized_net import errors


class Interrupt(extension.Extension):

    """Stops at the end of the iteration in which Ctrl-C was pressed.

    An update is never cut in two: the snapshot taken is as good as one at
    the end of an epoch.  A second Ctrl-C stops at once.  Python lets only
    the main thread take signals: in another one this does nothing.

    Args:
        snapshot: The snapshot extension to call before stopping.

    Raises:
        ~quantized_net.errors.Interrupted: Out of ``trainer.run()``.

    """

    trigger = 1, 'iteration'
    priority = -1000  # after everything else of the iteration

    def __init__(self, snapshot):
        self._snapshot = snapshot
        self._signal = None
        self._handlers = {}

    def initialize(self, trainer):
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            # None is a handler of another language, which is lost
            self._handlers[number] = (
                signal.signal(number, self._receive) or signal.SIG_DFL)

    def _receive(self, number, frame):
        self._signal = number
        for n, handler in self._handlers.items():
            signal.signal(n, handler)

    def __call__(self, trainer):
        if self._signal is not None:
            self._snapshot(trainer)
            raise errors.Interrupted(
                'stopped at iteration %d' % trainer.updater.iteration)

    def finalize(self):
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
