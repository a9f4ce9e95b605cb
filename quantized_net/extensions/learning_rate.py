"""A learning rate that is a function of the epoch."""

from chainer.training import extension


class LearningRate(extension.Extension):

    """Sets a hyperparameter of the optimizer before every update.

    It depends on nothing but the iteration, so a resumed run goes on with
    the rate that it would have had.

    Args:
        schedule (callable): From the number of epochs done, with its
            fraction, to the rate; see :mod:`quantized_net.training.schedules`.
        attr (str): Name of the hyperparameter: ``'lr'``, ``'alpha'``.
        optimizer (str): Name of the optimizer in the updater.

    """

    trigger = 1, 'iteration'
    priority = extension.PRIORITY_EDITOR

    def __init__(self, schedule, attr='lr', optimizer='main'):
        self._schedule = schedule
        self._attr = attr
        self._optimizer = optimizer

    def initialize(self, trainer):
        self(trainer)

    def __call__(self, trainer):
        updater = trainer.updater
        setattr(updater.get_optimizer(self._optimizer), self._attr,
                self._schedule(updater.epoch_detail))
