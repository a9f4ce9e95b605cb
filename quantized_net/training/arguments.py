"""Options that the training scripts share, with Chainer's names."""

import argparse
import os
import subprocess
import sys

import chainer
import numpy

import quantized_net


def positive_int(text):
    """An option's value: a whole number from 1."""
    value = int(text) if text.lstrip('+-').isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(
            '%r is not a whole number from 1' % text)
    return value


def positive_float(text):
    """An option's value: a number above 0."""
    return _number(text, lambda value: value > 0, 'a number above 0')


def non_negative_float(text):
    """An option's value: a number from 0."""
    return _number(text, lambda value: value >= 0, 'a number from 0')


def fraction(text):
    """An option's value: a number from 0, below 1."""
    return _number(
        text, lambda value: 0 <= value < 1, 'a number from 0, below 1')


def _number(text, holds, wanted):
    try:
        value = float(text)
    except ValueError:
        value = numpy.nan
    if not (numpy.isfinite(value) and holds(value)):
        raise argparse.ArgumentTypeError('%r is not %s' % (text, wanted))
    return value


def seed_int(text):
    """An option's value: a seed of NumPy's generator."""
    value = int(text) if text.isdigit() else -1
    if not 0 <= value < 2 ** 32:
        raise argparse.ArgumentTypeError(
            '%r is not a whole number from 0 to 2^32 - 1' % text)
    return value


def add_common(parser, batchsize, epoch):
    """Adds the options that every script has.

    Args:
        parser (argparse.ArgumentParser): To add to.
        batchsize (int): The default minibatch size.
        epoch (int or None): The default number of epochs; ``None`` where
            the script sets it later.

    """
    parser.add_argument(
        '--batchsize', '-b', type=positive_int, default=batchsize,
        help='images in a minibatch (default: %(default)s)')
    parser.add_argument(
        '--epoch', '-e', type=positive_int, default=epoch,
        help='sweeps over the data set' + (
            ' (default: %(default)s)' if epoch else ''))
    device = parser.add_mutually_exclusive_group()
    device.add_argument(
        '--gpu', '-g', type=int, nargs='?', const=0, default=-1,
        help='GPU to use; a negative number means CPU (default: CPU)')
    device.add_argument(
        '--device', '-d',
        help='device specifier of Chainer: -1, 0, "@cupy:0"')
    parser.add_argument(
        '--out', '-o', default='result',
        help='directory of the results (default: %(default)s)')
    resume = parser.add_mutually_exclusive_group()
    resume.add_argument(
        '--resume', '-r', metavar='SNAPSHOT', help='go on from a snapshot')
    resume.add_argument(
        '--autoload', action='store_true',
        help='go on from the newest whole snapshot in --out, if any')
    parser.add_argument(
        '--frequency', '-f', type=positive_int, default=1,
        help='epochs between two snapshots (default: %(default)s)')
    parser.add_argument(
        '--seed', type=seed_int, default=0,
        help='of the random numbers (default: %(default)s)')
    parser.add_argument(
        '--data-dir', metavar='DIR',
        help='folder with the original files of the data set')


def add_ternary(parser, methods):
    """Adds the options of ternary weights.

    Args:
        parser (argparse.ArgumentParser): To add to.
        methods (str): For which methods they are.

    Returns:
        The group of options.

    """
    group = parser.add_argument_group('ternary weights (%s)' % methods)
    group.add_argument(
        '--init', metavar='SNAPSHOT',
        help='float snapshot to start from; without it a float network is '
        'trained first, in OUT/float')
    group.add_argument(
        '--threshold', type=positive_float,
        help='t of delta = t max|W| (default: 0.05), of twn 0.7 mean|W|')
    group.add_argument(
        '--sparsity', type=float,
        help='constant share of zeros instead of the threshold (ttq)')
    group.add_argument(
        '--sweep', type=float, nargs='+', metavar='SPARSITY',
        help='train a network for each of these shares of zeros, in '
        'OUT/sparsity-*, and draw OUT/sparsity.png (ttq)')
    group.add_argument(
        '--fixed-scales', action='store_true',
        help='keep Wp and Wn at 1 (ttq)')
    group.add_argument(
        '--gradient-of-Wn', choices=('true', 'paper_eq7'), default='true',
        help='the derivative, or the sign that the paper prints (ttq)')
    group.add_argument(
        '--reduction', choices=('sum', 'mean'), default='sum',
        help='of the gradients of Wp and Wn (ttq; default: %(default)s)')
    return group


def quantizer_options(args):
    """The options of ``quantize`` out of those of :func:`add_ternary`."""
    options = {}
    if args.threshold is not None:
        options['threshold'] = args.threshold
    if args.method == 'ttq':
        options.update(
            sparsity=args.sparsity, learn_scales=not args.fixed_scales,
            gradient_of_Wn=args.gradient_of_Wn, reduction=args.reduction)
    return options


def versions():
    """The versions of the code and of what it runs on (a dict)."""
    found = {
        'python': sys.version.split()[0],
        'numpy': numpy.__version__,
        'chainer': chainer.__version__,
        'quantized_net': quantized_net.__version__,
        'commit': _commit(),
    }
    if chainer.backends.cuda.available:
        found['cupy'] = chainer.backends.cuda.cupy.__version__
    return found


def _commit():
    """The commit of the checkout, with "-dirty", or None where none is."""
    here = os.path.dirname(os.path.abspath(quantized_net.__file__))
    try:
        return subprocess.run(
            ['git', 'describe', '--always', '--dirty', '--abbrev=12'],
            cwd=here, check=True, capture_output=True, text=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
