"""A stop where the loss is no number."""

from chainer import backend
from chainer.training import extension

from quantized_net import errors
from quantized_net import ranks as ranks_module


class NaNGuard(extension.Extension):

    """Stops the run when a loss is NaN or infinite, before it is saved.

    On a GPU the losses are looked at once in ``interval`` iterations and at
    the end of each epoch, so that the host does not wait for the device in
    every one; the iteration that is named is the first bad one all the same.

    Args:
        key (str): The observation to look at.
        interval (int): Iterations between two looks on a GPU.
        ranks (~quantized_net.ranks.Alone): Who trains: all stop for one.

    Raises:
        ~quantized_net.errors.TrainingFailed: Out of ``trainer.run()``.

    """

    trigger = 1, 'iteration'
    priority = 500  # before the log and the snapshot

    def __init__(self, key='main/loss', interval=100,
                 ranks=ranks_module.ALONE):
        self._key = key
        self._interval = interval
        self._ranks = ranks
        self._pending = []

    def __call__(self, trainer):
        updater = trainer.updater
        loss = trainer.observation.get(self._key)
        if loss is None:
            return
        loss = getattr(loss, 'array', loss)
        self._pending.append((updater.iteration, loss))
        xp = backend.get_array_module(loss)
        if (backend.CpuDevice().xp is xp or updater.is_new_epoch
                or len(self._pending) >= self._interval):
            self._look(xp)

    def _look(self, xp):
        pending, self._pending = self._pending, []
        losses = xp.stack([xp.asarray(loss) for _, loss in pending])
        bad = backend.CpuDevice().send(~xp.isfinite(losses))
        for (iteration, _), is_bad in zip(pending, bad):
            rank = self._ranks.first(is_bad)
            if rank is not None:
                raise self._ranks.ending(errors.TrainingFailed(
                    '%s is NaN or infinite%s at iteration %d; a lower '
                    'learning rate may help' % (
                        self._key, self._ranks.named(rank), iteration)))
