#!/usr/bin/env python3
"""Writes the tables of the two READMEs from the logs of the runs.

    python tools/results_tables.py            rewrite the tables
    python tools/results_tables.py --check    fail where they are not current

Everything between a line "<!-- table: NAME -->" and "<!-- end -->" is
written anew; the rest of the file is left alone.
"""

import argparse
import collections
import json
import pathlib
import re
import statistics
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from quantized_net import files  # noqa: E402
from quantized_net.published import cifar_ttq  # noqa: E402
from quantized_net.published import mnist_qnn  # noqa: E402
from quantized_net.published import mnist_ternary  # noqa: E402

RESULTS = ROOT / 'results'

Run = collections.namedtuple('Run', 'args log')


def read_runs(folder):
    """The runs below a variant's folder, by seed."""
    return read_runs_at(sorted(folder.glob('seed*')))


def read_runs_at(paths):
    return [Run(json.loads((path / 'args.json').read_text()),
                json.loads((path / 'log').read_text())) for path in paths]


def spread(values):
    """Mean and standard deviation, of accuracies in per cent."""
    values = [100 * v for v in values]
    if len(values) == 1:
        return '%.2f' % values[0]
    return '%.3f ± %.3f' % (statistics.mean(values), statistics.stdev(values))


def row(variant, runs, key, label):
    last = [run.log[-1][key] for run in runs]
    tail = [statistics.mean(r[key] for r in run.log[-10:]) for run in runs]
    epochs = {run.log[-1]['epoch'] for run in runs}
    assert len(epochs) == 1, '%s: runs of different lengths' % variant
    epoch, = epochs
    published_key = key.replace('validation_batch', 'validation')
    figure = mnist_qnn.find(variant, epoch, published_key)
    mean = mnist_qnn.mean_of_last(variant, epoch, published_key)
    return '| %s | %s | %s | %d | %s | %s | %s | %s | %s |' % (
        variant, label, ', '.join(str(r.args['seed']) for r in runs), epoch,
        spread(last), '%.2f' % (100 * figure.value) if figure else '—',
        spread(tail), '%.2f' % (100 * mean.value) if mean else '—',
        figure.source if figure else '—')


def mnist_qnn_table():
    lines = [
        '| method | BatchNormalization evaluated on | seeds | epochs '
        '| accuracy %, last epoch | published | mean of the last ten '
        '| published | source of the published figure |',
        '|---|---|---|---|---|---|---|---|---|']
    for variant in ('qnn', 'bnn', 'float'):
        runs = read_runs(RESULTS / 'mnist_qnn' / variant)
        if runs:
            lines += [
                row(variant, runs, 'validation/main/accuracy',
                    'running statistics'),
                row(variant, runs, 'validation_batch/main/accuracy',
                    'each batch of 100 (as published)')]
    return '\n'.join(lines)


def mnist_qnn_losses_table():
    """The published curve beside the mean of our runs, epoch by epoch."""
    runs = read_runs(RESULTS / 'mnist_qnn' / 'qnn')
    keys = ('main/loss', 'main/accuracy', 'validation_batch/main/loss',
            'validation_batch/main/accuracy', 'validation/main/loss',
            'validation/main/accuracy')
    lines = [
        '| epoch | training loss | published | training accuracy | published '
        '| loss on batch statistics | published | accuracy on batch '
        'statistics | published | loss on running statistics | accuracy on '
        'running statistics |', '|---' * 11 + '|']
    for epoch in (1, 2, 5, 10, 15, 20):
        cells = ['%d' % epoch]
        for key in keys:
            digits = '%.4f'
            cells.append(digits % statistics.mean(
                run.log[epoch - 1][key] for run in runs))
            if not key.startswith('validation/'):
                cells.append(digits % mnist_qnn.find(
                    'qnn', epoch, key.replace('_batch', '')).value)
        lines.append('| ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)


_TTQ_VARIANTS = (
    ('float', 'nothing'),
    ('ternary', 'every layer'),
    ('ternary_paper_layers', 'conv2 alone, as the paper: first and last '
     'layer float'),
    ('fixed_scales', 'every layer, Wp and Wn stay 1'),
    ('paper_eq7', "every layer, the paper's printed sign of dWn"),
    ('mean', 'every layer, mean instead of sum'),
    ('sign_gradient', 'every layer, each parameter moves by a fixed step '
     'against the sign of its gradient'))


def mnist_ttq_table(folder=RESULTS / 'mnist_ttq'):
    lines = [
        '| variant | what is ternary, and how | seeds | accuracy %, last '
        'epoch | published, best of looks | re-run, last epoch | zeros % | '
        'conv2 Wp / Wn, by seed |', '|---' * 8 + '|']
    for variant, what in _TTQ_VARIANTS:
        runs = read_runs(folder / variant)
        if not runs:
            continue
        last = [run.log[-1] for run in runs]
        of = 'float' if variant == 'float' else 'ternary'
        published = (mnist_ternary.PUBLISHED[of], mnist_ternary.RERUN[of])
        lines.append('| %s | %s | %s | %s | %s | %s | %s |' % (
            variant, what, ', '.join(str(r.args['seed']) for r in runs),
            spread([row['validation/main/accuracy'] for row in last]),
            ' | '.join('%.2f' % (100 * figure.value)
                       if variant in ('float', 'ternary') else '—'
                       for figure in published),
            '—' if of == 'float' else spread([r['zeros'] for r in last]),
            '—' if of == 'float' else ', '.join(
                '%.3f / %.3f' % (row['conv2/Wp'], row['conv2/Wn'])
                for row in last)))
    return '\n'.join(lines)


def mnist_ttq_constant_table():
    return mnist_ttq_table(RESULTS / 'mnist_ttq' / 'constant_lr')


def selection_table(folder=RESULTS / 'mnist_ttq' / 'selection'):
    """Runs that held out a validation set, float and then ternary."""
    lines = ['| learning rate | epochs | float, validation % | ternary, '
             'validation % | ternary, test % (not looked at to choose) |',
             '|---' * 5 + '|']
    for path in sorted(folder.glob('**/float')):
        run, = read_runs_at([path.parent])
        before, = read_runs_at([path])
        key = 'validation/main/accuracy'
        lines.append('| %s, %s | %d + %d | %s | %s | %s |' % (
            run.args['schedule'], run.args['lr'], before.log[-1]['epoch'],
            run.log[-1]['epoch'], spread([before.log[-1][key]]),
            spread([run.log[-1][key]]),
            spread([run.log[-1]['test/main/accuracy']])))
    return '\n'.join(lines)


def mnist_ttq_lenet_table():
    return selection_table(RESULTS / 'mnist_ttq_lenet')


def cifar10_table():
    """Errors in per cent, each row with the epochs that it had."""
    lines = ['| network, method | epochs | seed | error %, last epoch | mean '
             'of the last ten | least mean of 20 epochs | published (400 '
             'epochs of two passes, batch 256) | zeros % |',
             '|---' * 8 + '|']
    for path in sorted((RESULTS / 'cifar10').glob('*/seed*')):
        run, = read_runs_at([path])
        errors = [100 * (1 - r['validation/main/accuracy']) for r in run.log]
        means = [statistics.mean(errors[i:i + 20])
                 for i in range(len(errors) - 19)]
        arch, method = run.args['arch'], run.args['method']
        published = cifar_ttq.ERRORS.get((method, arch))
        zeros = run.log[-1].get('zeros')
        lines.append('| %s, %s | %d of %d | %d | %.2f | %.2f | %s | %s | %s |'
                     % (arch, method, run.log[-1]['epoch'],
                        run.args['epoch'], run.args['seed'], errors[-1],
                        statistics.mean(errors[-10:]),
                        '%.2f' % min(means) if means else '—',
                        '%.2f' % published.value if published else '—',
                        '—' if zeros is None else '%.1f' % (100 * zeros)))
    return '\n'.join(lines)


def short_table():
    """The table of the project's README: last epochs alone."""
    lines = ['| method | weights, activations | accuracy %, running '
             'statistics | accuracy %, statistics of each batch | published '
             '(statistics of each batch) | seeds |', '|---' * 6 + '|']
    for variant, what in (('qnn', 'powers of two'), ('bnn', '-1 and +1'),
                          ('float', 'float')):
        runs = read_runs(RESULTS / 'mnist_qnn' / variant)
        figure = mnist_qnn.find(variant, 20, 'validation/main/accuracy')
        lines.append('| `%s` | %s | %s | %s | %s | %d |' % (
            variant, what,
            *[spread([run.log[-1][key] for run in runs]) for key in (
                'validation/main/accuracy',
                'validation_batch/main/accuracy')],
            '%.2f (%s)' % (100 * figure.value, figure.source.split(',')[0])
            if figure else 'none', len(runs)))
    return '\n'.join(lines)


def short_ternary_table():
    """Trained ternary weights in the project's README: last epochs alone."""
    lines = ['| network, data | ternary | epochs, float + ternary | accuracy '
             '%, float | accuracy %, ternary | published (ternary) | seeds |',
             '|---' * 7 + '|']
    key = 'validation/main/accuracy'
    folder = RESULTS / 'mnist_ttq'
    before = read_runs(folder / 'float')
    published = mnist_ternary.PUBLISHED['ternary']
    for variant, what, figure in (
            ('ternary', 'every layer', '%.2f (vinsis/ternary-quantization, '
             'best of looks)' % (100 * published.value)),
            ('ternary_paper_layers', 'all but first and last', '—')):
        runs = read_runs(folder / variant)
        lines.append('| ConvNet, MNIST | %s | %d + %d | %s | %s | %s | %d |'
                     % (what, before[0].log[-1]['epoch'],
                        runs[0].log[-1]['epoch'],
                        spread([run.log[-1][key] for run in before]),
                        spread([run.log[-1][key] for run in runs]), figure,
                        len(runs)))
    path = RESULTS / 'mnist_ttq_lenet' / 'lr-0.003' / 'seed0'
    before, run = read_runs_at([path / 'float', path])
    lines.append('| LeNet, MNIST | all but first and last | %d + %d | %s | %s '
                 '| — | 1 |' % (
                     before.log[-1]['epoch'], run.log[-1]['epoch'],
                     *[spread([r.log[-1]['test/main/accuracy']])
                       for r in (before, run)]))
    return '\n'.join(lines)


TABLES = {'mnist_qnn': mnist_qnn_table,
          'mnist_qnn_losses': mnist_qnn_losses_table,
          'mnist_ttq': mnist_ttq_table,
          'mnist_ttq_constant': mnist_ttq_constant_table,
          'mnist_ttq_selection': selection_table,
          'mnist_ttq_lenet': mnist_ttq_lenet_table,
          'cifar10': cifar10_table,
          'short': short_table,
          'short_ternary': short_ternary_table}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--check', action='store_true')
    args = parser.parse_args()
    for path in (RESULTS / 'README.md', ROOT / 'README.md'):
        old = path.read_text()
        new = re.sub(
            r'(<!-- table: (\w+) -->\n).*?(<!-- end -->)',
            lambda m: m.group(1) + TABLES[m.group(2)]() + '\n' + m.group(3),
            old, flags=re.DOTALL)
        if not args.check:
            files.write_text(str(path), new)
        elif new != old:
            sys.exit('%s does not show what the logs say; run '
                     'python tools/results_tables.py'
                     % path.relative_to(ROOT))


if __name__ == '__main__':
    main()
