"""Experiments as data: what was published, and the runs that stand beside it.

``results/<experiment>/experiment.toml`` has the title, the script, the data
set and the source of an experiment, and for each of its variants the options,
the seeds, the variant that it starts from and the published figures.  A run
lies beside it in ``<variant>/seed<k>/``.  results/README.md says what may
stand in the file.
"""

import csv
import json
import os
import pathlib
import statistics
import tomllib

from quantized_net import errors

RESULTS = pathlib.Path(__file__).resolve().parent.parent / 'results'
FILE = 'experiment.toml'

# What is said of a curve of accuracies, one for each epoch.  The least mean
# of the error over 20 epochs is the largest of the accuracy; None where there
# are not so many.
STATISTICS = {
    'last': lambda values: values[-1],
    'mean of 10': lambda values: statistics.fmean(values[-10:]),
    'least mean of 20': lambda values: max((
        statistics.fmean(values[i:i + 20])
        for i in range(len(values) - 19)), default=None),
}

# What others have reported, and we never do.
_OF_OTHERS = ('best look',)


class Figure(object):

    """A published number.

    Attributes:
        key (str): Of the log, as ``'validation/main/accuracy'``.
        value (float): As in the log: accuracies are shares.
        source (str): Where it stands.
        verified (bool): Whether it was read there; if not, it is from
            memory, and is printed as unverified.
        epoch (int or None): Of the published run, where it is one of ours.
        statistic (str): One of ``STATISTICS``, or ``'best look'``.
        note (str): How that run differs from ours.

    """

    def __init__(self, key, source, value=None, error=None, verified=True,
                 epoch=None, statistic='last', note=''):
        if (value is None) == (error is None):
            raise ValueError('value or error, one of them')
        if statistic not in (*STATISTICS, *_OF_OTHERS):
            raise ValueError('statistic %r; there are %s' % (
                statistic, ', '.join((*STATISTICS, *_OF_OTHERS))))
        self.key = key
        self.source = source
        self.value = 1 - error / 100 if value is None else value
        self.verified = verified
        self.epoch = epoch
        self.statistic = statistic
        self.note = note


class Curve(object):

    """Published values, one for each epoch.

    Attributes:
        label (str): For pictures.
        source (str): Where they stand.
        values (dict): From a key of the log to a list, from epoch 1 on.
        note (str): How that run differs; a curve with a note is drawn, and
            compared with nothing.

    """

    def __init__(self, folder, label, source, values=None, csv=None,
                 errors=None, repeat=1, note=''):
        self.label = label
        self.source = source
        self.note = note
        self.values = values or {}
        if csv is not None:
            self.values = {
                key: [1 - float(row[column]) for row in read_csv(folder / csv)
                      for _ in range(repeat)]
                for key, column in (errors or {}).items()}


def read_csv(path):
    """The rows of a CSV file (a list of dict of str)."""
    with open(path, newline='') as f:
        return list(csv.DictReader(f))


class Variant(object):

    """A row of an experiment: options, seeds, published figures.

    Attributes:
        experiment (Experiment): That it is of.
        name (str): Its folder in the experiment's.
        what (str): What it is, in a few words.
        options (dict): Of the script, without their dashes.
        seeds (list of int): That were or are to be run.
        init (str or None): Key of the variant that it starts from.
        seconds (float or None): Of an epoch, on two cores of 2024.
        weights (bool): Whether model.npz is kept in results/; not above 4 MB.
        figures (list of Figure), curves (list of Curve): Published.

    """

    def __init__(self, experiment, name, what='', options=None, seeds=(0,),
                 init=None, seconds=None, weights=True, published=(),
                 curves=()):
        self.experiment = experiment
        self.name = name
        self.what = what
        self.options = dict(experiment.options, **options or {})
        self.seeds = list(seeds)
        self.init = init if init is None or '/' in init else (
            '%s/%s' % (experiment.key, init))
        self.seconds = seconds
        self.weights = weights
        self.figures = [Figure(**figure) for figure in published]
        self.curves = [Curve(experiment.folder, **curve) for curve in curves]

    @property
    def key(self):
        return '%s/%s' % (self.experiment.key, self.name)

    def folder(self, seed):
        """Where the run of a seed lies."""
        return self.experiment.folder / self.name / ('seed%d' % seed)

    def argv(self, seed=None):
        """The options as a command line has them (a list of str)."""
        options = dict(self.options, dataset=self.experiment.data)
        if seed is not None:
            options['seed'] = seed
        words = []
        for name, value in options.items():
            if value is False:
                continue
            words.append('--' + name)
            if value is not True:
                words += map(str, value if isinstance(value, list)
                             else [value])
        return words

    def figure(self, key, epoch, statistic='last'):
        """The published figure of an epoch (a :class:`Figure`), or None."""
        for figure in self.figures:
            if (figure.key, figure.statistic) == (key, statistic) and (
                    figure.epoch in (None, epoch)):
                return figure
        for curve in self.curves:
            values = curve.values.get(key, [])[:epoch]
            if len(values) == epoch and not curve.note:
                value = STATISTICS[statistic](values)
                if value is not None:
                    return Figure(key, curve.source, value, epoch=epoch,
                                  statistic=statistic)
        return None


class Experiment(object):

    """What an experiment.toml says.

    Attributes:
        key (str): Its folder below results/.
        folder (~pathlib.Path): That folder.
        title, source (str): What it is, and where it was published.
        script (str): That trains it.
        data (str): Data set.
        options (dict): Of all its variants.
        variants (dict): From a name to a :class:`Variant`.
        result (str): The entry of the log that is its result.
        tables (dict): From a name to what the tables show.

    """

    def __init__(self, folder, root=None):
        path = folder / FILE
        self.folder = folder
        self.key = folder.relative_to(root or RESULTS).as_posix()
        try:
            with open(path, 'rb') as f:
                said = tomllib.load(f)
            self.title = said.pop('title')
            self.script = said.pop('script')
            self.data = said.pop('data')
            self.source = said.pop('source', '')
            self.options = said.pop('options', {})
            self.result = said.pop('result', 'validation/main/accuracy')
            self.tables = said.pop('tables', {})
            self.variants = {
                name: Variant(self, name, **values)
                for name, values in said.pop('variants').items()}
        except (OSError, KeyError, TypeError, ValueError,
                tomllib.TOMLDecodeError) as e:
            raise errors.UserError('%s: %s' % (
                path, 'no %s in it' % e if isinstance(e, KeyError) else e))
        if said:
            raise errors.UserError('%s: what is %s?' % (
                path, ', '.join(sorted(said))))


def find(root=None):
    """All experiments below a folder: a dict from their keys.

    Args:
        root (~pathlib.Path): ``RESULTS``, if ``None``.

    """
    root = root or RESULTS
    found = {path.parent.relative_to(root).as_posix(): path.parent
             for path in root.rglob(FILE)}
    return {key: Experiment(found[key], root) for key in sorted(found)}


def variant(experiments, key):
    """The variant of a key as ``'mnist_ttq/ternary'``.

    Raises:
        ~quantized_net.UserError: Where there is none.

    """
    experiment, _, name = key.rpartition('/')
    if experiment not in experiments or (
            name not in experiments[experiment].variants):
        raise errors.UserError('there is no variant %s; there are: %s' % (
            key, ', '.join(v.key for e in experiments.values()
                           for v in e.variants.values())))
    return experiments[experiment].variants[name]


def matching(experiments, script, parse, describe, run):
    """The variant whose options are those of a run, or ``None``.

    Args:
        experiments (dict): As :func:`find` gives them.
        script (str): Name of the run's script.
        parse (callable): Reads a command line of that script.
        describe (callable): From options, script and data set to what
            makes two runs comparable (a dict).
        run (dict): The same, of the run.

    """
    for experiment in experiments.values():
        if experiment.script != script:
            continue
        for candidate in experiment.variants.values():
            try:
                options = parse(candidate.argv())
            except errors.UserError as e:
                raise errors.UserError('%s, variant %s: %s' % (
                    experiment.folder / FILE, candidate.name, e))
            if describe(options, script, experiment.data) == run:
                return candidate
    return None


def read_log(folder):
    """The log of a run: a list of dict, one for each epoch.

    Raises:
        ~quantized_net.UserError: Where there is none.

    """
    path = os.path.join(folder, 'log')
    if not os.path.isdir(folder):
        raise errors.UserError('there is no folder %s' % folder)
    try:
        with open(path) as f:
            log = json.load(f)
    except OSError as e:
        raise errors.UserError(
            'can not read %s (%s); name the output folder of a training '
            'script' % (path, e.strerror))
    except ValueError as e:
        raise errors.UserError('%s is no log: %s' % (path, e))
    if not isinstance(log, list) or not all(
            isinstance(row, dict) and 'epoch' in row for row in log):
        raise errors.UserError('%s is no log of LogReport' % path)
    return log


def read_args(folder):
    """The options of a run (a dict).

    Raises:
        OSError, ValueError: Where the file can't be read or is none.

    """
    options = json.loads((pathlib.Path(folder) / 'args.json').read_text())
    if not isinstance(options, dict):
        raise ValueError('no options')
    return options
