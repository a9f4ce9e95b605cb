#!/usr/bin/env python3
"""Time of convolutions of small codes, exact, beside those of floats.

    python benchmarks/codes.py --out results/speed

Each layer is a 3x3 convolution of a CIFAR ResNet's or wider, padded by one.
The sides take turns in one process: the exact way (``grids=``), the way of
floats that functions.convolution_2d goes without it (Winograd's), and PyTorch
eager where it is installed.  Times are the smallest of each side's CPU times;
a ratio below 1 means that the exact way is faster.  Before the times: how
many of the outputs of the float way are not the whole numbers that they are,
and how many of their signs are others (sign(0) is +1).
"""

import argparse
import functools
import os
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

# channels, height and width
LAYERS = [(16, 32), (32, 16), (64, 8), (128, 16), (256, 8)]
KINDS = [('signs', 'signs'), ('signs', 'twn'), ('signs', 'ttq'),
         ('4 bits', '4 bits'), ('4 bits', 'ttq')]


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--batches', type=int, nargs='+', default=[1, 64])
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--turns', type=int, default=12)
    parser.add_argument('--out', help='folder for the table')
    args = parser.parse_args()
    if min(args.batches + [args.threads, args.turns]) < 1:
        parser.error('the numbers must be at least 1')
    return args


def draw(kind, shape):
    """Values of a kind, and their grid."""
    import numpy
    from quantized_net import functions
    random = numpy.random
    if kind == 'signs':
        return random.choice([-1, 1], shape).astype('f'), functions.Grid(
            1., 1)
    if kind == '4 bits':
        return (random.randint(-8, 8, shape) / 8).astype(
            'f'), functions.Grid(.125, 8)
    scales = {'twn': [-.37, 0, .37], 'ttq': [-.77, 0, .31]}[kind]
    return random.choice(scales, shape).astype('f'), None


def train(function, x, W, gy, **options):
    """Forward and backward of a function."""
    import chainer
    x, W = chainer.Variable(x), chainer.Variable(W)
    y = function(x, W, pad=1, **options)
    y.grad = gy
    y.backward()
    return y.array


def predict(function, x, W, gy, **options):
    import chainer
    with chainer.no_backprop_mode():
        return function(x, W, pad=1, **options).array


def torch_sides(x, W, gy):
    """PyTorch's forward, and its forward and backward."""
    import torch
    from torch.nn import functional
    x, W, gy = [torch.from_numpy(a.copy()) for a in (x, W, gy)]

    def predict():
        with torch.no_grad():
            return functional.conv2d(x, W, padding=1).numpy()

    def train():
        leaves = [a.detach().requires_grad_() for a in (x, W)]
        y = functional.conv2d(*leaves, padding=1)
        y.backward(gy)
        return y.detach().numpy()

    return predict, train


def best(sides, turns):
    """The smallest CPU time of each side, in milliseconds."""
    times = [[] for _ in sides]
    for side in sides:
        side()
    for _ in range(turns):
        for side, found in zip(sides, times):
            for _ in range(3):
                start = time.process_time()
                side()
                found.append(time.process_time() - start)
    return [min(found) * 1e3 for found in times]


def main():
    args = parse_args()
    os.environ['OPENBLAS_NUM_THREADS'] = os.environ[
        'OMP_NUM_THREADS'] = str(args.threads)
    import numpy
    import step_case
    import train_step
    from quantized_net import files
    from quantized_net import functions
    from quantized_net import kernels
    from quantized_net.kernels import layout
    kernels.set_threads(args.threads)
    try:
        import torch
        torch.set_num_threads(args.threads)
    except ImportError:
        torch = None
    numpy.random.seed(0)
    lines = []

    def say(line):
        print(line, flush=True)
        lines.append(line)

    say('Convolutions of small codes: the smallest CPU time, milliseconds, '
        '%d thread(s)' % args.threads)
    say('/f: ratio to the same with floats, /t: to PyTorch eager')
    say(train_step.processor())
    for line in train_step.software(*step_case.versions(
            with_torch=torch is not None)):
        say(line)
    say('%4s %4s %3s %-7s%-7s %8s %7s | %8s %5s %5s | %8s %5s %5s' % (
        'chan', 'size', 'n', 'input', 'weight', 'not whole', 'flipped',
        'predict', '/f', '/t', 'train', '/f', '/t'))
    for channels, size in LAYERS:
        for n in args.batches:
            for kinds in KINDS:
                (x, x_grid), (W, W_grid) = [draw(kind, shape) for
                                            kind, shape in zip(kinds, (
                    (n, channels, size, size),
                    (channels, channels, 3, 3)))]
                x = layout.channels_last(x).transpose(0, 3, 1, 2)
                gy = numpy.ones_like(x)
                arrays = functions.convolution_2d, x, W, gy  # channels last
                grids = functions.code_grids(x_grid, W_grid, W[0].size)
                exact, floats = [
                    predict(*arrays, grids=g) for g in (grids, None)]
                unit = x_grid.step * (W_grid.step if W_grid else abs(W).max())
                whole, sign = '', ''
                if kinds[1] != 'ttq':
                    whole = '%.1f %%' % (100 * numpy.mean(
                        floats / unit != numpy.rint(floats / unit)))
                    sign = '%.2f %%' % (100 * numpy.mean(
                        (floats >= 0) != (exact >= 0)))
                cells = []
                for i, mode in enumerate((predict, train)):
                    sides = [functools.partial(mode, *arrays, grids=g)
                             for g in (grids, None)]
                    if torch is not None:
                        sides.append(torch_sides(x, W, gy)[i])
                    found = best(sides, args.turns)
                    cells += [found[0], found[0] / found[1],
                              found[0] / found[2] if torch else numpy.nan]
                say('%4d %4d %3d %-7s%-7s %9s %7s | %8.3f %5.2f %5.2f | '
                    '%8.3f %5.2f %5.2f' % (
                        channels, size, n, *kinds, whole, sign, *cells))
    if args.out:
        os.makedirs(args.out, exist_ok=True)
        files.write_text(os.path.join(args.out, 'codes.txt'),
                         '\n'.join(lines) + '\n')


if __name__ == '__main__':
    main()
