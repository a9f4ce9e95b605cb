"""A stop after an epoch."""

from chainer.training import extension

from quantized_net import errors


class PauseAfter(extension.Extension):

    """Stops with a snapshot at the end of an epoch; the run can go on.

    Args:
        epoch (int): Which.
        snapshot: The snapshot extension to call before stopping.

    Raises:
        ~quantized_net.errors.Paused: Out of ``trainer.run()``.

    """

    trigger = 1, 'epoch'
    priority = -900  # after everything of the iteration but Interrupt

    def __init__(self, epoch, snapshot):
        self._epoch = epoch
        self._snapshot = snapshot

    def __call__(self, trainer):
        if trainer.updater.epoch == self._epoch:
            self._snapshot(trainer)
            raise errors.Paused('paused after epoch %d' % self._epoch)
