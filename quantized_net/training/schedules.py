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


def exponential(rate, final_rate, n_epochs):
    """Less by the same factor after each epoch.

    The final rate is that of an epoch after the last one, as in the code of
    arXiv:1511.00363 and arXiv:1602.02830.
    """
    def schedule(epoch):
        done = math.floor(epoch + 1e-6) / n_epochs
        return rate * (final_rate / rate) ** done
    return schedule


def warmed_up(schedule, n_epochs, rate):
    """Another rate for the first epochs; the schedule from there on."""
    def warmed(epoch):
        return rate if epoch < n_epochs - 1e-6 else schedule(epoch)
    return warmed


NAMES = ('constant', 'steps', 'linear', 'cosine', 'exponential')


def depends_on_length(args):
    """Whether another number of epochs changes what the first ones do."""
    return args.schedule in ('linear', 'cosine', 'exponential') or bool(
        getattr(args, 'anneal', 0))


def restarted(schedule, starts):
    """A schedule that begins anew at each of some epochs.

    Args:
        schedule (callable): From the epochs since the last start.
        starts (list of float): In rising order; none: it never does.

    """
    def anew(epoch):
        return schedule(epoch - max(
            (start for start in starts if epoch >= start - 1e-6), default=0))
    return anew


def length(args, starts=()):
    """The epochs from one start to the next: the longest of them."""
    ends = sorted({0., *starts, float(args.epoch)})
    return max(b - a for a, b in zip(ends, ends[1:]))


def from_options(args, starts=()):
    """The schedule that the options of a script name.

    Args:
        args (argparse.Namespace): Options.
        starts (list of float): Epochs at which it begins anew.

    """
    n_epochs = length(args, starts)
    schedule = {
        'constant': lambda: lambda epoch: args.lr,
        'steps': lambda: steps(
            args.lr, args.drops, getattr(args, 'drop_factor', .1)),
        'linear': lambda: linear(args.lr, n_epochs),
        'cosine': lambda: cosine(args.lr, n_epochs),
        'exponential': lambda: exponential(
            args.lr, args.final_lr, n_epochs),
    }[args.schedule]()
    schedule = restarted(schedule, starts)
    if getattr(args, 'warmup', 0):
        schedule = warmed_up(schedule, args.warmup, args.warmup_lr)
    return schedule
