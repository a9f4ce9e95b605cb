"""Ctrl-C at the end of an iteration."""

import signal

from chainer.training import extension

from quantized_net import errors


class Interrupt(extension.Extension):

    """Stops at the end of the iteration in which Ctrl-C was pressed.

    An update is never cut in two: the snapshot taken is as good as one at
    the end of an epoch.  A second Ctrl-C stops at once.

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
        for number in (signal.SIGINT, signal.SIGTERM):
            self._handlers[number] = signal.signal(number, self._receive)

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
