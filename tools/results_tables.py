#!/usr/bin/env python3
"""Writes the tables of the two READMEs from the experiments and their runs.

    python tools/results_tables.py            rewrite the tables
    python tools/results_tables.py --check    fail where they are not current

Everything between a line "<!-- table: EXPERIMENT TABLE -->" and
"<!-- end -->" is written anew, as the experiment.toml says; the rest of the
file is left alone.  Pictures that a table has are drawn, too.
"""

import argparse
import pathlib
import re
import statistics
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from quantized_net import errors  # noqa: E402
from quantized_net import experiments  # noqa: E402
from quantized_net import files  # noqa: E402
from quantized_net import plots  # noqa: E402
from quantized_net.training import comparison  # noqa: E402

ACCURACY = 'validation/main/accuracy'
NETWORKS = {'mlp': 'MLP', 'convnet': 'ConvNet', 'lenet': 'LeNet',
            'mnist': 'MNIST', 'cifar10': 'CIFAR-10'}


class Row(object):

    """A row of a table: a variant with its runs.

    Attributes:
        variant (~quantized_net.experiments.Variant): The variant.
        runs (dict): From its seeds to the logs of those that are there.

    """

    def __init__(self, variant):
        self.variant = variant
        self.runs = {
            seed: experiments.read_log(variant.folder(seed))
            for seed in variant.seeds
            if (variant.folder(seed) / 'log').exists()}

    @property
    def epoch(self):
        epochs = {log[-1]['epoch'] for log in self.runs.values()}
        assert len(epochs) == 1, (
            '%s: runs of different lengths' % self.variant.key)
        return epochs.pop()

    def values(self, statistic, key):
        """A statistic of each run."""
        found = [experiments.STATISTICS[statistic]([row[key] for row in log])
                 for log in self.runs.values()]
        return [value for value in found if value is not None]


def spread(values, is_error=False):
    """Mean and standard deviation of shares, in per cent."""
    values = [100 * (1 - v if is_error else v) for v in values]
    if not values:
        return '—'
    if len(values) == 1:
        return '%.2f' % values[0]
    return '%.3f ± %.3f' % (statistics.mean(values), statistics.stdev(values))


def network(row):
    options = row.variant.options
    name = options.get('model', options.get('arch', ''))
    return NETWORKS.get(name, name)


def cell(all_experiments, row, column, label, key):
    """What a column shows of a row.

    Args:
        all_experiments (dict): Of :func:`experiments.find`.
        row (Row): The row.
        column (dict): Of the toml: ``show``, and what it needs besides.
        label, key (str): Of the table's ``keys``, where it has some.

    """
    variant, is_error = row.variant, column.get('as') == 'error'
    show, key = column['show'], column.get('key', key)
    if key == 'result':
        key = variant.experiment.result
    before = None
    if variant.init is not None:
        before = Row(experiments.variant(all_experiments, variant.init))
    if column.get('of') == 'init':
        row = before
    if show in experiments.STATISTICS:
        if any(key not in log[-1] for log in row.runs.values()):
            return '—'
        return spread(row.values(show, key), is_error)
    figure = comparison.published_figure(
        variant, key, row.epoch, column.get('statistic', 'last'))
    if show == 'published':
        if figure is None:
            return '—'
        return '%s%s' % (spread([figure.value], is_error),
                         '' if figure.verified else ' (unverified)')
    if show == 'each':
        if column['keys'][0] not in next(iter(row.runs.values()))[-1]:
            return '—'
        return ', '.join(
            ' / '.join('%.3f' % log[-1][k] for k in column['keys'])
            for log in row.runs.values())
    return {
        'name': lambda: variant.name,
        'what': lambda: variant.what,
        'key': lambda: label,
        'network': lambda: '%s, %s' % (
            network(row), NETWORKS[variant.experiment.data]),
        'network and method': lambda: '%s, %s' % (
            network(row), variant.options['method']),
        'seeds': lambda: ', '.join(map(str, row.runs)),
        'count': lambda: '%d' % len(row.runs),
        'epochs': lambda: '%d' % row.epoch,
        'epochs of both': lambda: '%d + %d' % (before.epoch, row.epoch),
        'source': lambda: figure.source if figure else '—',
    }[show]()


def markdown(heads, rows):
    return '\n'.join(
        ['| %s |' % ' | '.join(heads), '|---' * len(heads) + '|']
        + ['| %s |' % ' | '.join(cells) for cells in rows])


def rows_table(all_experiments, experiment, said, is_check):
    """A row for each variant that has runs."""
    columns = said['columns']
    names = said.get('rows', list(experiment.variants))
    rows = [Row(experiments.variant(
        all_experiments, name if '/' in name
        else '%s/%s' % (experiment.key, name))) for name in names]
    rows = [row for row in rows if row.runs]
    if 'picture' in said and not is_check:
        draw(experiment.folder / said['picture'], rows)
    return markdown([column['head'] for column in columns], [
        [cell(all_experiments, row, column, label, key) for column in columns]
        for row in rows
        for label, key in said.get('keys', {'': ACCURACY}).items()])


def draw(path, rows):
    """Errors against the shares of zeros."""
    plots.draw_sparsity(
        [(log[-1]['zeros'], 1 - log[-1][ACCURACY])
         for row in rows for log in row.runs.values()], str(path))


def course_table(experiment, said):
    """The mean of a variant's runs beside the published curve, by epochs."""
    row = Row(experiment.variants[said['variant']])
    heads, rows = ['epoch'], [['%d' % epoch] for epoch in said['epochs']]
    for column in said['columns']:
        key, is_published = column['key'], column.get('published', True)
        heads += [column['head']] + ['published'] * is_published
        for epoch, cells in zip(said['epochs'], rows):
            cells.append('%.4f' % statistics.mean(
                log[epoch - 1][key] for log in row.runs.values()))
            if is_published:
                cells.append('%.4f' % comparison.published_figure(
                    row.variant, key, epoch, 'last').value)
    return markdown(heads, rows)


def table(all_experiments, key, name, is_check):
    """A table of an experiment, in Markdown; draws its picture, too."""
    if key not in all_experiments or (
            name not in all_experiments[key].tables):
        raise errors.UserError('there is no table %s of %s' % (name, key))
    experiment = all_experiments[key]
    said = experiment.tables[name]
    if 'epochs' in said:
        return course_table(experiment, said)
    return rows_table(all_experiments, experiment, said, is_check)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--check', action='store_true')
    args = parser.parse_args()
    all_experiments = experiments.find()
    for path in (ROOT / 'results' / 'README.md', ROOT / 'README.md'):
        old = path.read_text()
        new = re.sub(
            r'(<!-- table: (\S+) (\S+) -->\n).*?(<!-- end -->)',
            lambda m: '%s%s\n%s' % (
                m.group(1), table(
                    all_experiments, m.group(2), m.group(3), args.check),
                m.group(4)),
            old, flags=re.DOTALL)
        if not args.check:
            files.write_text(str(path), new)
        elif new != old:
            sys.exit('%s does not show what the logs say; run '
                     'python tools/results_tables.py'
                     % path.relative_to(ROOT))


if __name__ == '__main__':
    main()
