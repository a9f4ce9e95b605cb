"""The networks that one command trains: a float one first, then the rest."""

import argparse
import collections
import os

from quantized_net import errors
from quantized_net import experiments
from quantized_net import files
from quantized_net import methods
from quantized_net import plots
from quantized_net import ranks as ranks_module
from quantized_net.training import snapshot

Stage = collections.namedtuple('Stage', 'args out resume init')
Stage.__doc__ = """A network to train.

Attributes:
    args (argparse.Namespace): Its options, and no others.
    out (str): Its folder.
    resume (str or None): Snapshot to go on from.
    init (str or None): The float network that it starts from.
"""


def run(args, float_args, train, ranks=ranks_module.ALONE):
    """Trains the networks of a command.

    Args:
        args (argparse.Namespace): Options of the script.
        float_args (argparse.Namespace): Those of the float network.
        train (callable): ``train(stage)``: trains a network to its end.
        ranks (~quantized_net.ranks.Alone): Who trains.

    """
    resume, init = args.resume, getattr(args, 'init', None)
    sweep = getattr(args, 'sweep', None)
    if sweep and resume:
        raise errors.UserError(
            '--sweep goes on with --autoload, not with --resume')
    if init is None and methods.get(
            args.method).starts_from_float and not args.scratch:
        folder = os.path.join(args.out, 'float')
        if not ranks.on_first(lambda: _is_beyond_float(args, resume)):
            train(Stage(float_args, folder, resume, None))
            resume = None
        init = os.path.join(folder, 'model.npz')
    if sweep:
        _sweep(args, train, init, ranks)
    else:
        train(Stage(args, args.out, resume, init))


def _is_beyond_float(args, resume):
    """Whether the quantized network has a snapshot to go on from."""
    if resume:
        return snapshot.settings_of(resume).get('method') != 'float'
    if args.autoload:
        for path in snapshot.newest_first(args.out):
            try:
                return snapshot.settings_of(path).get('method') != 'float'
            except errors.UserError:
                continue  # the run itself says so
    return False


def _sweep(args, train, init, ranks):
    """Trains for each share of zeros, and draws the errors."""
    points = []
    for sparsity in args.sweep:
        folder = os.path.join(args.out, 'sparsity-%g' % sparsity)
        options = argparse.Namespace(**dict(
            vars(args), sparsity=sparsity, sweep=None))
        train(Stage(options, folder, None, init))
        if ranks.rank:
            continue
        last = experiments.read_log(folder)[-1]
        points.append((last['zeros'], 1 - last['validation/main/accuracy']))
    if ranks.rank:
        return
    plots.draw_sparsity(points, os.path.join(args.out, 'sparsity.png'))
    lines = ['zeros   validation error'] + [
        '%5.1f %%  %14.2f %%' % (100 * zeros, 100 * error)
        for zeros, error in points]
    files.write_text(
        os.path.join(args.out, 'sweep.txt'), '\n'.join(lines) + '\n')
    print('\n' + '\n'.join(lines))
