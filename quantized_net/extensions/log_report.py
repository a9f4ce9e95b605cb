"""A log whose means are summed up on the device."""

import chainer
from chainer import backend
from chainer.training import extensions

# Iterations whose values wait to be added up together.
_INTERVAL = 100


class LogReport(extensions.LogReport):

    """:class:`chainer.training.extensions.LogReport`, in fewer launches.

    On a GPU the losses and accuracies of 100 iterations are added up
    together, there, and are read when their means are logged.  On the CPU it
    is Chainer's; the log, and what a snapshot has of it, are Chainer's on
    both.

    """

    def _init_summary(self):
        self._summary = Means()


class Means(chainer.DictSummary):

    """Means of values; those on a GPU wait for others."""

    def __init__(self):
        super(Means, self).__init__()
        self._waiting = {}  # type: dict

    def add(self, d):
        rest = {}
        for name, value in d.items():
            array = getattr(value, 'array', value)
            if isinstance(array, chainer.backends.cuda.ndarray) and (
                    array.ndim == 0):
                self._waiting.setdefault(name, []).append(array)
            else:
                rest[name] = value
        super(Means, self).add(rest)
        if any(len(arrays) >= _INTERVAL for arrays in self._waiting.values()):
            self.add_up()

    def compute_mean(self):
        self.add_up()
        return super(Means, self).compute_mean()

    def serialize(self, serializer):
        self.add_up()
        super(Means, self).serialize(serializer)

    def add_up(self):
        """Adds up the values that wait."""
        waiting, self._waiting = self._waiting, {}
        for name, arrays in waiting.items():
            device = backend.get_device_from_array(arrays[0])
            summary = self._summaries[name]
            with chainer.using_device(device):
                total = device.xp.stack(arrays).sum(dtype='d')
                # a number, or what a snapshot has of the host
                before = summary._x
                if isinstance(before, device.xp.ndarray) or not before:
                    summary._x = total + before
                else:
                    summary._x = total + float(before)
            summary._n += len(arrays)
