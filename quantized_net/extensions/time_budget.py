"""A stop before the time is up."""

import copy
import time

from chainer.training import extension

from quantized_net import errors
from quantized_net import ranks as ranks_module


class TimeBudget(extension.Extension):

    """Stops with a snapshot when a limit of time nears.

    It stops at the end of an epoch where the longest epoch so far would not
    fit any more, and at the end of an iteration where the limit has come
    nevertheless.  The clock starts when the trainer does.

    Args:
        seconds (float): The limit.
        snapshot: The snapshot extension to call before stopping.
        ranks (~quantized_net.ranks.Alone): Who trains: the first clock that
            is up stops all.

    Raises:
        ~quantized_net.errors.Paused: Out of ``trainer.run()``.

    """

    trigger = 1, 'iteration'
    priority = -900  # after everything of the iteration but Interrupt

    def __init__(self, seconds, snapshot, ranks=ranks_module.ALONE):
        self._seconds = seconds
        self._ranks = ranks
        self._snapshot = snapshot
        self._longest = 0.

    def initialize(self, trainer):
        self._start = self._epoch_start = time.monotonic()

    def __call__(self, trainer):
        now = time.monotonic()
        left = self._seconds - (now - self._start)
        is_enough = left > 0
        if trainer.updater.is_new_epoch:
            self._longest = max(self._longest, now - self._epoch_start)
            self._epoch_start = now
            is_enough = left > self._longest
        rank = self._ranks.first(not is_enough)
        if rank is None or self._is_done(trainer):
            return
        self._snapshot(trainer)
        raise self._ranks.ending(errors.Paused(
            'the time is up%s at iteration %d' % (
                self._ranks.named(rank), trainer.updater.iteration)))

    @staticmethod
    def _is_done(trainer):
        # a trigger fires once: the trainer itself has yet to ask its own
        return copy.deepcopy(trainer.stop_trigger)(trainer)
