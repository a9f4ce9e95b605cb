"""Draws the pictures of a finished ternary run."""

import argparse
import os
import sys

from quantized_net import errors
from quantized_net import experiments
from quantized_net import plots
from quantized_net.plots import _layers
from quantized_net.training import run
from quantized_net.training import snapshot


def parse_args():
    parser = argparse.ArgumentParser(
        prog='python -m quantized_net.plots', description=__doc__)
    parser.add_argument(
        'result', metavar='RESULT', help='output folder of a training script')
    parser.add_argument(
        '--layers', nargs='+', metavar='LAYER',
        help='layers to draw (default: all; of more than four the first, '
        'middle and last; the kernels of the first convolution)')
    parser.add_argument(
        '--out', metavar='DIR',
        help='folder of the pictures (default: RESULT)')
    return parser.parse_args()


def main():
    args = parse_args()
    out = args.out or args.result
    log = experiments.read_log(args.result)
    names = _layers.of_log(log)
    if not names:
        raise errors.UserError(
            '%s is no ternary run: its log has no scales' % args.result)
    chosen = _layers.choose(names, args.layers)
    title = title_of(args.result)
    run.make_out(out)

    def path(name):
        found = os.path.join(out, name)
        print(found)
        return found

    plots.draw_scales(log, chosen, path('scales.png'), title)
    plots.draw_flips(log, args.layers or names, path('flips.png'), title)
    newest, settings = newest_snapshot(args.result)
    if newest is None:
        print('left out the histogram and the kernels: there is no whole '
              'snapshot in %s' % args.result)
        return
    layers = _layers.of_snapshot(newest, settings, args.layers or names)
    plots.draw_histogram(
        [layer for layer in layers if layer[0] in chosen],
        path('histogram.png'), title)
    convolutions = [layer for layer in layers if layer[2].ndim == 4]
    if not convolutions:
        print('left out the kernels: no convolution among the layers')
    wanted = args.layers or [_layers.most_kernels(
        [(name, W.shape) for name, W, *_ in layers])]
    for name, _, values, scales in convolutions:
        if name not in wanted:
            continue
        plots.draw_kernels(
            name, values, path('kernels-%s.png' % name.replace('/', '-')),
            title, scales=scales)


def title_of(folder):
    """What ran, from args.json; empty where that can not be read."""
    try:
        return experiments.read_args(folder)['title']
    except (KeyError, OSError, ValueError):
        return ''


def newest_snapshot(folder):
    """Path and settings of the newest whole snapshot, or ``None`` twice."""
    for path in snapshot.newest_first(folder):
        try:
            return path, snapshot.settings_of(path)
        except errors.UserError as e:
            sys.stderr.write('%s; trying the one before\n' % e)
    return None, None


if __name__ == '__main__':
    sys.argv[0] = 'quantized_net.plots'  # for the messages
    run.script(main)
