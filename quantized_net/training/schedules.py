"""Learning rates as functions of the epoch, for ``LearningRate``."""


def steps(rate, drops, factor=.1, warmup=0., warmup_rate=None):
    """The rate, times a factor from each of some epochs on.

    Args:
        rate (float): At the start, but for the warm-up.
        drops (list of float): Epochs.
        factor (float): Of each drop.
        warmup (float): For how many epochs there is another rate first.
        warmup_rate (float): That rate.

    """
    def schedule(epoch):
        if epoch < warmup - 1e-6:
            return warmup_rate
        return rate * factor ** sum(epoch >= drop - 1e-6 for drop in drops)
    return schedule


def linear(rate, n_epochs):
    """From the rate at the start down to zero at the end."""
    def schedule(epoch):
        return rate * max(1 - epoch / n_epochs, 0.)
    return schedule
