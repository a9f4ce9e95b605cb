"""The processes that train one network together; here, the one of a plain run.

:class:`quantized_net.training.distributed.Ranks` is the form with several.
"""

import contextlib


class Alone(object):

    """One process: nobody to agree with.

    Attributes:
        rank (int): Number of this process.
        size (int): How many there are.
        local_rank (int): Number among those of the same machine.
        title (str or None): Of all, as a run's header has it.
        all_end (bool): Whether all ranks know that they end.
        communicator: ChainerMN's, or ``None``.

    """

    rank = 0
    size = 1
    local_rank = 0
    communicator = None
    title = None  # type: str | None
    all_end = False

    def first(self, flag):
        """The lowest rank whose flag is set, or ``None``; all ranks call it.

        Args:
            flag (bool): Of this rank.

        """
        return 0 if flag else None

    def named(self, rank):
        """What a message says of the rank that is the cause."""
        return ''

    def ending(self, error):
        """Marks that all ranks end with this error; returns it."""
        return error

    def end(self, status):
        """Ends this process, and with it all others where they go on.

        Args:
            status (int): The exit status.

        """

    def folder(self, path):
        """The folder that this rank writes to, in the place of the run's."""
        return path

    def synchronize(self, model):
        """Lets BatchNormalization see the batches of all ranks as one."""

    def on_first(self, function):
        """The result of a function that rank 0 alone calls, on all ranks.

        Its :class:`~quantized_net.UserError` is raised on all ranks.
        """
        return function()

    def on_all(self, function):
        """Calls a function on all ranks; where one fails, all do.

        Rank 0 has called it before the others begin, so that what it
        downloads the others find.
        """
        return function()

    def share(self, link):
        """Gives the parameters and other values of rank 0 to all."""

    def average(self, link):
        """Averages what a link keeps beside its parameters, over the ranks.

        Statistics of BatchNormalization, for one.
        """

    def own_stream(self, device, *numbers):
        """Random numbers of this rank alone."""
        return contextlib.nullcontext()

    def total(self, array):
        """The sum of a float64 array over the ranks, for all of them."""
        return array


ALONE = Alone()
