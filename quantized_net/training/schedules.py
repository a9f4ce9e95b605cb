"""Learning rates as functions of the epoch, for ``LearningRate``."""

import math


def steps(rate, drops, factor=.1):
    """The rate, times a factor from each of some epochs on.

    Args:
        rate (float): At the start.
        drops (list of float): Epochs.
        factor (float): Of each drop.

    """
    def schedule(epoch):
        return rate * factor ** sum(epoch >= drop - 1e-6 for drop in drops)
    return schedule


def linear(rate, n_epochs):
    """From the rate at the start down to zero at the end."""
    def schedule(epoch):
        return rate * max(1 - epoch / n_epochs, 0.)
    return schedule


def cosine(rate, n_epochs):
    """From the rate at the start down to zero at the end, half a cosine.

    .. seealso:: Loshchilov and Hutter, arXiv:1608.03983, eq. 5, without
        restarts.

    """
    def schedule(epoch):
        done = min(epoch / n_epochs, 1.)
        return rate * (1 + math.cos(math.pi * done)) / 2
    return schedule


def warmed_up(schedule, n_epochs, rate):
    """Another rate for the first epochs; the schedule from there on."""
    def warmed(epoch):
        return rate if epoch < n_epochs - 1e-6 else schedule(epoch)
    return warmed


NAMES = ('constant', 'steps', 'linear', 'cosine')


def depends_on_length(args):
    """Whether another number of epochs changes what the first ones do."""
    return args.schedule in ('linear', 'cosine') or bool(
        getattr(args, 'anneal', 0))


def from_options(args):
    """The schedule that the options of a script name."""
    schedule = {
        'constant': lambda: lambda epoch: args.lr,
        'steps': lambda: steps(
            args.lr, args.drops, getattr(args, 'drop_factor', .1)),
        'linear': lambda: linear(args.lr, args.epoch),
        'cosine': lambda: cosine(args.lr, args.epoch),
    }[args.schedule]()
    if getattr(args, 'warmup', 0):
        schedule = warmed_up(schedule, args.warmup, args.warmup_lr)
    return schedule
