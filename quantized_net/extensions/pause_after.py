"""A stop after an epoch."""

from chainer.training import extension

from quantized_net import errors
from quantized_net import ranks as ranks_module


class PauseAfter(extension.Extension):

    """Stops with a snapshot at the end of an epoch; the run can go on.

    Args:
        epoch (int): Which.
        snapshot: The snapshot extension to call before stopping.
        ranks (~quantized_net.ranks.Alone): Who trains.

    Raises:
        ~quantized_net.errors.Paused: Out of ``trainer.run()``.

    """

    trigger = 1, 'epoch'
    priority = -900  # after everything of the iteration but Interrupt

    def __init__(self, epoch, snapshot, ranks=ranks_module.ALONE):
        self._epoch = epoch
        self._ranks = ranks
        self._snapshot = snapshot

    def __call__(self, trainer):
        if trainer.updater.epoch == self._epoch:
            self._snapshot(trainer)
            raise self._ranks.ending(errors.Paused(
                'paused after epoch %d' % self._epoch))
