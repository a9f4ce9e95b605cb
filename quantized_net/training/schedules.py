"""Learning rates as functions of the epoch, for ``LearningRate``."""


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
