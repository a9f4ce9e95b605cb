"""Updates of many parameters in a few launches."""

from quantized_net.kernels import many_arrays


class Batch(object):

    """Updates that wait for others, while an optimizer goes on with them.

    An update waits for no longer than until the hooks that are called after
    all of them.  Outside of an optimizer's ``update`` none waits.

    Args:
        run (callable): Of a list of tuples, the arguments of the updates.

    """

    def __init__(self, run):
        self._run = run
        self._waiting = None  # type: list | None

    def open(self):
        self._waiting = []

    def flush(self):
        """Does what waits, and lets nothing wait any more."""
        waiting, self._waiting = self._waiting, None
        if waiting:
            self._run(waiting)

    def close(self):
        """Forgets what waits: the step has failed."""
        self._waiting = None

    def add(self, rule, param, arrays, numbers):
        """Takes an update, if its arrays are fit.

        Args:
            rule (~chainer.UpdateRule): Of the parameter.
            param (~chainer.Parameter): What the rule updates.
            arrays (list of :ref:`ndarray`): What the update is of.
            numbers (list of float): Its numbers.

        Returns:
            bool: Whether it was taken: it is done, or on the list.

        """
        if not many_arrays.are_fit(*arrays):
            return False
        update = (*arrays, *numbers)
        # what comes right after the update of a parameter needs its result:
        # its own hooks, and the way back from another precision
        if (self._waiting is None or rule._hookable._post_update_hooks
                or param is rule._fp32_param):
            self._run([update])
        else:
            self._waiting.append(update)
        return True


class Batched(object):

    """An optimizer whose rules hand their updates to its ``batch``.

    To be the first base class; the second is one of Chainer's optimizers.
    """

    batch: Batch

    def update(self, lossfun=None, *args, **kwds):
        try:
            super().update(lossfun, *args, **kwds)  # type: ignore[misc]
        finally:
            self.batch.close()

    def call_hooks(self, timing='pre'):
        # between the two the parameters are updated
        if timing == 'post':
            self.batch.flush()
        super().call_hooks(timing)  # type: ignore[misc]
        if timing == 'pre':
            self.batch.open()
