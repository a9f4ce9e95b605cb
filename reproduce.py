#!/usr/bin/env python3
"""Reproduces any row of the tables of results/.

    ./reproduce.py --list
    ./reproduce.py mnist_ttq/ternary --seeds 0 1 2
    ./reproduce.py mnist_qnn                 every variant and seed of it
    ./reproduce.py --all --budget 36000 --nice
    ./reproduce.py mnist_qnn/bnn --check     its first epochs, once more

A row that starts from another runs that one first.  Runs are made in --work,
in pieces that resume after Ctrl-C or a kill, and filed under results/ when
they are whole.
"""

import _bootstrap  # noqa: F401  (first: finds the environment)

import argparse
import importlib
import time

import quantized_net  # before chainer, which it makes run
from quantized_net import reproduction
from quantized_net import text_table
from quantized_net.training import options
from quantized_net.training import run


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'keys', nargs='*', metavar='EXPERIMENT[/VARIANT]',
        help='what to reproduce')
    parser.add_argument(
        '--seeds', type=options.seed_int, nargs='+',
        help="default: those of the experiment's toml")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        '--list', action='store_true', help='say what there is, and stop')
    what.add_argument(
        '--check', action='store_true',
        help='run the first epochs of done rows again, and say whether they '
        'lie in the spread')
    parser.add_argument(
        '--all', action='store_true', help='whatever is missing')
    parser.add_argument(
        '--epochs', type=options.positive_int, default=2,
        help='how many to --check (default: %(default)s)')
    parser.add_argument(
        '--budget', type=options.positive_float, metavar='SECONDS',
        help='stop with status 75 when this time is up')
    parser.add_argument(
        '--nice', action='store_true', help='at the lowest priority')
    parser.add_argument(
        '--data-dir', metavar='DIR',
        help='folder with the original files of the data sets')
    parser.add_argument(
        '--work', metavar='DIR', default='result/reproduce',
        help='folder of runs that are under way (default: %(default)s)')
    args = parser.parse_args()
    if args.all and args.keys or not (args.all or args.keys or args.list):
        parser.error('name what to reproduce, or --all, or --list')
    return args


def script_of(variant):
    """The script that trains a variant, as a module."""
    return importlib.import_module(
        variant.experiment.script.removesuffix('.py'))


def epochs_of(variant):
    """How many epochs the runs of a variant have."""
    return script_of(variant).make_parser(variant.argv()).parse().epoch


def print_list(rows, factor):
    """Prints the rows, and how long those that lack will take."""
    table = [('row', 'state', 'hours')]
    total = 0.
    for row in rows:
        state, seconds, hours = row.state, row.seconds_per_epoch(), ''
        if state != 'done' and seconds is not None:
            left = row.epochs - row.epochs_done(row.work)
            total += left * seconds * factor / 3600
            hours = '%.2f' % (left * seconds * factor / 3600)
        table.append((row.name, state, hours))
    print('\n'.join(text_table.lay_out(table, n_left=2)))
    print('\n%.1f hours to run, by what the runs took that are there; this '
          'machine now takes %.1f times as long' % (total, factor))


def print_check(row, found):
    """Prints the values of a check; whether all lie in the spread."""
    table = [('epoch', '', 'now', 'from', 'to', '')]
    for epoch, key, value, low, high in found:
        table.append(('%d' % epoch, key, '%.4f' % value, '%.4f' % low,
                      '%.4f' % high, '' if low <= value <= high else 'OUT'))
    is_inside = all(low <= value <= high for *_, value, low, high in found)
    print('\n%s: %s' % (row.name, 'in the spread' if is_inside
                        else 'NOT in the spread'))
    print('\n'.join(text_table.lay_out(table, n_left=2)), flush=True)
    return is_inside


def main():
    args = parse_args()
    plan = reproduction.Plan(epochs_of, args.work, args.data_dir, args.nice)
    rows = plan.rows(args.keys, args.seeds)
    if args.list:
        print_list(rows, reproduction.speed_factor())
        return
    if args.check:
        results = [print_check(row, plan.check(row, args.epochs))
                   for row in rows]
        if not all(results):
            raise quantized_net.errors.TrainingFailed('not in the spread')
        return
    deadline = args.budget and time.monotonic() + args.budget
    missing = plan.missing(rows)
    print('\n'.join('to run: ' + row.name for row in missing)
          or 'everything is there')
    for row in missing:
        if not plan.run(row, deadline):
            raise quantized_net.errors.Paused(
                'the time is up; the same command goes on')
    print('\nthe tables: python tools/results_tables.py')


if __name__ == '__main__':
    run.script(main)
