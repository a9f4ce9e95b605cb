"""What the Trainer needs where several ranks train one network.

The optimizer is ChainerMN's, which averages the gradients.
"""

import contextlib
import copy
import typing

import chainer
from chainer import reporter
from chainer import training
from chainer.dataset import convert
from chainer.training import extension
from chainer.training import extensions
import numpy

from quantized_net import quantizers
from quantized_net.extensions import log_report


def updater(ranks, seed, iterator, optimizer, device, **kwargs):
    """An updater for one rank or several.

    Args:
        ranks (~quantized_net.ranks.Alone): Who trains.
        seed (int): Of the run.
        iterator (~chainer.dataset.Iterator): Over this rank's part of each
            batch.
        optimizer (~chainer.Optimizer): With its model.
        device (~chainer.backend.Device): Where.
        kwargs: As of :class:`chainer.training.updaters.StandardUpdater`.

    """
    if ranks.communicator is None:
        return training.updaters.StandardUpdater(
            iterator, optimizer, device=device, **kwargs)
    import chainermn
    return _Updater(
        ranks, seed, iterator, chainermn.create_multi_node_optimizer(
            optimizer, ranks.communicator), device=device, **kwargs)


class _Updater(training.updaters.StandardUpdater):

    def __init__(self, ranks, seed, iterator, optimizer, device, **kwargs):
        super(_Updater, self).__init__(
            iterator, optimizer, device=device, **kwargs)
        self._ranks = ranks
        self._seed = seed
        self._device = device
        self._is_begun = False

    def _begin(self, model, arrays):
        """Quantizers of inputs take their first values from the whole batch.

        Rank 0 looks at it, as one process would, and tells the others.
        """
        self._is_begun = True
        if all(getattr(getattr(link, 'input_quantizer', None), 'initialized',
                       True) for link in model.links()):
            return
        host = chainer.get_device('@numpy')
        parts = self._ranks.communicator.mpi_comm.gather(
            [host.send(a) for a in arrays])
        if self._ranks.rank == 0:
            whole = [self._device.send(numpy.concatenate(part))
                     for part in zip(*parts)]
            kept = [(link, name, copy.copy(link.__dict__[name]))
                    for link in model.links()
                    if not isinstance(link, quantizers.Quantizer)
                    for name in link._persistent]
            # what it reports is no observation
            quiet = reporter.report_scope({}) if (
                reporter._get_reporters()) else contextlib.nullcontext()
            with unsynchronized(model), chainer.no_backprop_mode(), quiet:
                with self._ranks.own_stream(
                        self._device, self._seed, self.iteration):
                    model(*whole)
            for link, name, value in kept:
                link.__dict__[name] = value
        self._ranks.share(model)

    def update_core(self):
        batch = self.get_iterator('main').next()
        arrays = convert._call_converter(
            self.converter, batch, self.input_device)
        optimizer = self.get_optimizer('main')
        model = optimizer.target
        if not self._is_begun:
            self._begin(model, arrays)
        with self._ranks.own_stream(
                self._device, self._seed, self.iteration):
            loss = model(*arrays)
            model.cleargrads()
            loss.backward(loss_scale=optimizer._loss_scale)
        del loss
        self._ranks.check_layout(model)
        optimizer.update()


@contextlib.contextmanager
def unsynchronized(model):
    """Lets each rank alone compute, where not all do."""
    linked = [link for link in model.links()
              if getattr(link, 'total', None) is not None]
    totals = [link.total for link in linked]
    for link in linked:
        link.total = None
    try:
        yield
    finally:
        for link, total in zip(linked, totals):
            link.total = total


def start(ranks, trainer):
    """Makes all ranks begin with what rank 0 has, and lose no step.

    To be called when the model has all its first values.
    """
    optimizer = trainer.updater.get_optimizer('main')
    if ranks.communicator is not None:
        ranks.share(optimizer.target)
        # else its first update would broadcast, and update nothing
        optimizer.is_changed(optimizer.target)


class LogReport(log_report.LogReport):

    """The same, of the means over the ranks."""

    default_name = 'LogReport'

    def __init__(self, ranks):
        self._ranks = ranks
        super(LogReport, self).__init__()

    def _init_summary(self):
        self._summary = _Summary(self._ranks)

    def average(self):
        """Averages what was summed up since the last row."""
        self._summary.average()


class _Summary(log_report.Means):

    def __init__(self, ranks):
        super(_Summary, self).__init__()
        self._ranks = ranks

    def average(self):
        """Gives each entry the mean over the ranks that have it."""
        self.add_up()
        mine = {name: [float(chainer.get_device('@numpy').send(x))
                       for x in (s._x, s._x2)] + [s._n]
                for name, s in self._summaries.items()}
        everyone = self._ranks.communicator.mpi_comm.allgather(mine)
        for name, summary in self._summaries.items():
            values = [its[name] for its in everyone if name in its]
            summary._x, summary._x2 = [
                sum(v[i] for v in values) / len(values) for i in (0, 1)]

    def compute_mean(self):
        self.average()
        return super(_Summary, self).compute_mean()


class Average(extension.Extension):

    """Averages statistics over the ranks, before they are looked at.

    What is summed up for the log is averaged too: a snapshot has it.

    Args:
        ranks (~quantized_net.ranks.Alone): Who trains.

    """

    trigger = 1, 'epoch'
    priority = extension.PRIORITY_WRITER + 50  # before evaluators

    def __init__(self, ranks):
        self._ranks = ranks

    def __call__(self, trainer):
        self._ranks.average(trainer.updater.get_optimizer('main').target)
        trainer.get_extension('LogReport').average()


class Silent(extension.Extension):

    """An extension that only writes, where another rank does that.

    It has the name, the trigger and the state of the one that it stands for.
    """

    def __init__(self, other):
        self._other = other
        self.trigger = other.trigger
        self.priority = other.priority
        self.name = other.name or other.default_name

    def __call__(self, trainer):
        pass

    def serialize(self, serializer):
        self._other.serialize(serializer)


def evaluator(ranks, kind):
    """The class of an evaluator whose work the ranks share.

    Each rank takes every n-th batch, whole, so that the batches are those of
    one process; the result is the mean over all examples, where Chainer's is
    that of the batches' means.

    Args:
        ranks (~quantized_net.ranks.Alone): Who evaluates.
        kind (type): The class for one process.

    """
    if ranks.communicator is None:
        return kind
    bases = (_Evaluator,) if kind is extensions.Evaluator else (
        kind, _Evaluator)
    return type(kind.__name__, bases, {'ranks': ranks})


class _Evaluator(extensions.Evaluator):

    ranks: typing.Any = None

    def evaluate(self):
        # the ranks have different numbers of batches
        with unsynchronized(self._targets['main']):
            return self._evaluate()

    def _evaluate(self):
        iterator = self._iterators['main']
        iterator.reset()
        skip = getattr(iterator, 'skip', iterator.next)
        sums = {}  # type: dict[str, list]
        model = self._targets['main']
        i = 0
        while True:
            try:
                if i % self.ranks.size != self.ranks.rank:
                    skip()
                    i += 1
                    continue
                batch = iterator.next()
            except StopIteration:
                break
            arrays = convert._call_converter(
                self.converter, batch, self.device)
            observation = {}  # type: dict
            with reporter.report_scope(observation):
                with self.ranks.own_stream(self.device, i):
                    with chainer.no_backprop_mode():
                        model(*arrays)
            for name, value in observation.items():
                value = chainer.get_device('@numpy').send(
                    getattr(value, 'array', value))
                entry = sums.setdefault(name, [0., 0])
                entry[0] += float(value) * len(arrays[0])
                entry[1] += len(arrays[0])
            i += 1
        everyone = self.ranks.communicator.mpi_comm.allgather(sums)
        names = sorted({name for its in everyone for name in its})
        totals = {
            name: [sum(its[name][k] for its in everyone if name in its)
                   for k in (0, 1)] for name in names}
        return {name: x / n for name, (x, n) in totals.items()}


def take_everywhere(ranks, snapshot):
    """What an extension calls that stops in the middle of an epoch."""
    if ranks.communicator is None:
        return snapshot
    average = Average(ranks)

    def take(trainer):
        average(trainer)
        snapshot(trainer)

    return take
