"""Runs of the experiments below results/: which are there, how to get more.

A run is made in a folder of its own (``WORK/<variant>/seed<k>``), with its
snapshots, and filed under results/ when it is whole.
"""

import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

from quantized_net import errors
from quantized_net import experiments

_FILES = ('args.json', 'log', 'table.txt')
WEIGHTS = 'model.npz'
_PIECE = 3000.  # seconds of a piece, after which a run starts itself anew


class Row(object):

    """A variant with a seed.

    Args:
        all_experiments (dict): As :func:`quantized_net.experiments.find`
            gives them.
        variant (~quantized_net.experiments.Variant): The variant.
        seed (int): The seed.
        work (~pathlib.Path): Folder of the runs that are under way.
        epochs (int): How many the whole run has.

    """

    def __init__(self, all_experiments, variant, seed, work, epochs):
        self.variant = variant
        self.seed = seed
        self.epochs = epochs
        self.filed = variant.folder(seed)
        self.work = work / variant.key / ('seed%d' % seed)
        starters = {v.init for e in all_experiments.values()
                    for v in e.variants.values()}
        # of rows with several seeds one network is kept, and all that other
        # rows start from
        self.keeps_weights = variant.weights and (
            variant.key in starters or seed == variant.seeds[0])

    @property
    def name(self):
        return '%s seed %d' % (self.variant.key, self.seed)

    def epochs_done(self, folder):
        """Epochs in the log of a folder; 0 where there is none."""
        try:
            return experiments.read_log(folder)[-1]['epoch']
        except (errors.UserError, LookupError):
            return 0

    @property
    def state(self):
        """In words: ``'done'``, ``'missing'`` or what there is."""
        if self.epochs_done(self.filed) >= self.epochs:
            if self.keeps_weights and not (self.filed / WEIGHTS).exists():
                return 'done, weights missing'
            return 'done'
        done = self.epochs_done(self.work)
        if done:
            return 'epoch %d of %d' % (done, self.epochs)
        return 'missing'

    @property
    def weights(self):
        """Where the weights of a whole run are, or ``None``."""
        for folder in (self.filed, self.work):
            if (folder / WEIGHTS).exists():
                return folder / WEIGHTS
        return None

    def seconds_per_epoch(self):
        """As the filed runs took them, or as the toml says; or ``None``."""
        for seed in self.variant.seeds:
            try:
                last = experiments.read_log(self.variant.folder(seed))[-1]
                return last['elapsed_time'] / last['epoch']
            except (errors.UserError, LookupError):
                continue
        return self.variant.seconds

    def file(self):
        """Puts a whole run under results/, in the place of an older one."""
        pictures = [path.name for path in self.work.glob('*.png')
                    ] if self.seed == self.variant.seeds[0] else []
        names = [*_FILES, *pictures]
        if self.keeps_weights:
            names.append(WEIGHTS)
        self.filed.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.filed.with_name('.%s.new' % self.filed.name)
        old = self.filed.with_name('.%s.old' % self.filed.name)
        for folder in (fresh, old):
            shutil.rmtree(folder, ignore_errors=True)
        fresh.mkdir()
        for name in names:
            shutil.copyfile(self.work / name, fresh / name)
        if self.filed.exists():
            # what others put beside the run stays
            for path in self.filed.iterdir():
                if path.suffix not in ('.png', '.npz') and not (
                        fresh / path.name).exists():
                    shutil.copyfile(path, fresh / path.name)
            os.rename(self.filed, old)
        os.rename(fresh, self.filed)
        shutil.rmtree(old, ignore_errors=True)


class Plan(object):

    """All rows, and the way to run them.

    Args:
        epochs_of (callable): From a variant to the epochs of its runs.
        work (~pathlib.Path): Folder of the runs that are under way.
        data_dir (str or None): Folder with the data sets' files.
        is_nice (bool): Whether to run at the lowest priority.

    """

    def __init__(self, epochs_of, work, data_dir=None, is_nice=False):
        self.experiments = experiments.find()
        self.work = pathlib.Path(work)
        self._epochs_of = epochs_of
        self._data_dir = data_dir
        self._is_nice = is_nice

    def row(self, variant, seed):
        return Row(self.experiments, variant, seed, self.work,
                   self._epochs_of(variant))

    def rows(self, keys=(), seeds=None):
        """Rows of experiments or variants; all of them without keys.

        Raises:
            ~quantized_net.UserError: For a key that is neither.

        """
        chosen = []
        for key in keys or self.experiments:
            if key in self.experiments:
                chosen += self.experiments[key].variants.values()
            else:
                chosen.append(experiments.variant(self.experiments, key))
        return [self.row(variant, seed) for variant in chosen
                for seed in (variant.seeds if seeds is None else seeds)]

    def init_of(self, row):
        """The row that a row starts from, or ``None``."""
        if row.variant.init is None:
            return None
        variant = experiments.variant(self.experiments, row.variant.init)
        return self.row(variant, row.seed if row.seed in variant.seeds
                        or not variant.seeds else variant.seeds[0])

    def missing(self, rows):
        """What has to be run for some rows, in the right order."""
        needed = []  # type: list[Row]

        def add(row):
            if any(row.name == other.name for other in needed):
                return
            init = self.init_of(row)
            if init is not None and init.weights is None:
                add(init)
            needed.append(row)

        for row in rows:
            if row.state != 'done':
                add(row)
        return needed

    def command(self, row, out, *more):
        """The command of a row's run (a list of str)."""
        root = experiments.RESULTS.parent
        command = [sys.executable, str(root / row.variant.experiment.script),
                   *row.variant.argv(row.seed), '--out', str(out),
                   '--autoload', *map(str, more)]
        if self._data_dir is not None:
            command += ['--data-dir', self._data_dir]
        init = self.init_of(row)
        if init is not None:
            if init.weights is None:
                raise errors.UserError(
                    '%s starts from %s, which has no weights yet'
                    % (row.name, init.name))
            command += ['--init', os.path.relpath(init.weights, root)]
        return ['nice', '-n', '19', *command] if self._is_nice else command

    def run(self, row, deadline=None):
        """Runs a row to its end, in pieces, and files it.

        Args:
            row (Row): What is to be run; snapshots of it are gone on from.
            deadline (float or None): Of ``time.monotonic()``.

        Returns:
            bool: Whether it is done; not where the time was up.

        """
        while True:
            left = _PIECE
            if deadline is not None:
                left = min(left, deadline - time.monotonic())
            if left <= 0:
                return False
            status = self._call(self.command(
                row, row.work, '--epoch-budget', '%.0f' % max(left, 1)))
            if status == 0:
                row.file()
                return True
            if status != 75:
                raise errors.TrainingFailed(
                    '%s ended with status %d' % (row.name, status))

    def check(self, row, n_epochs):
        """Runs the first epochs of a row again, apart from all else.

        Returns:
            list: Tuples of epoch, key of the log, value, low and high bound.

        """
        out = self.work / 'check' / row.variant.key / ('seed%d' % row.seed)
        shutil.rmtree(out, ignore_errors=True)
        more = [] if n_epochs >= row.epochs else ['--pause-after', n_epochs]
        status = self._call(self.command(row, out, *more))
        if status not in (0, 75):
            raise errors.TrainingFailed(
                '%s ended with status %d' % (row.name, status))
        logs = [experiments.read_log(row.variant.folder(seed))
                for seed in row.variant.seeds
                if self.row(row.variant, seed).epochs_done(
                    row.variant.folder(seed)) >= n_epochs]
        return [(found['epoch'], key, found[key],
                 *bounds([log[i][key] for log in logs]))
                for i, found in enumerate(experiments.read_log(out))
                for key in ('main/loss', 'main/accuracy',
                            'validation/main/accuracy')
                if len(logs) > 2 or key.startswith('main/')]

    def _call(self, command):
        root = experiments.RESULTS.parent
        print('\n' + ' '.join(command), flush=True)
        process = subprocess.Popen(command, cwd=root)
        try:
            return process.wait()
        except KeyboardInterrupt:
            # the run has it too, and takes a snapshot
            process.wait()
            raise


def bounds(values):
    """Where another run's value lies, by those of some runs.

    Of three and more: four standard deviations from their mean, or two per
    cent of it; of fewer: five per cent.
    """
    mean = statistics.fmean(values)
    width = .05 * abs(mean)
    if len(values) > 2:
        width = max(4 * statistics.stdev(values), .02 * abs(mean))
    return mean - width, mean + width


def speed_factor(n_steps=9):
    """How many times as long as on the machine of results/ a step takes.

    Measured on training steps of the small convolutional network; that
    machine, two cores of an AMD EPYC Zen 4, takes 13 ms for one.
    """
    import chainer
    import numpy

    from quantized_net import models
    from quantized_net import optimizers

    numpy.random.seed(0)
    model = chainer.links.Classifier(models.ConvNet())
    optimizer = optimizers.Adam().setup(model)
    x = numpy.random.uniform(size=(100, 1, 28, 28)).astype('f')
    t = numpy.zeros(100, 'i')
    times = []
    for _ in range(n_steps):
        start = time.perf_counter()
        optimizer.update(model, x, t)
        times.append(time.perf_counter() - start)
    return statistics.median(times) / .013
