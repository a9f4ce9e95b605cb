#!/usr/bin/env python3
"""Time of TTQ's forward and backward on a million weights.

    python benchmarks/ternary.py --threads 1 2

The sides: the NumPy reference, the compiled kernels, the same operations in
PyTorch eager and in torch.compile.  Forward is the threshold, the values and
the codes; backward is the gradient of the weights and the two sums.  All are
checked against the reference before they are timed, and take turns.
"""

import argparse
import json
import os
import pathlib
import statistics
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--threads', type=int, nargs='+', default=[1])
    parser.add_argument('--size', type=int, default=10 ** 6)
    parser.add_argument('--turns', type=int, default=20)
    parser.add_argument('--calls', type=int, default=10,
                        help='calls in each turn')
    parser.add_argument('--out', help='folder for the table and the times')
    args = parser.parse_args()
    if min(args.threads + [args.size, args.turns, args.calls]) < 1:
        parser.error('the numbers must be at least 1')
    return args


def reference(W, g, Wp, Wn):
    """The NumPy side: functions of nothing, and what they return."""
    import numpy
    from quantized_net.kernels import ternary as kernels

    def forward():
        delta = numpy.maximum(W.max(), -W.min()) * W.dtype.type(0.05)
        return kernels.ternary_reference(W, delta, Wp, Wn)

    codes = forward()[1]
    return forward, lambda: kernels.ternary_gradient_reference(
        g, codes, Wp, Wn)


def compiled(W, g, Wp, Wn):
    from quantized_net.kernels import ternary as kernels

    def forward():
        delta = kernels.largest_magnitude(W) * W.dtype.type(0.05)
        return kernels.ternary(W, delta, Wp, Wn)

    codes = forward()[1]
    return forward, lambda: kernels.ternary_gradient(g, codes, Wp, Wn)


def pytorch(W, g, Wp, Wn, compile=False):
    import torch
    import torch_peers
    W, g, Wp, Wn = [torch.from_numpy(a) for a in (W, g, Wp, Wn)]

    def ternary(W, Wp, Wn):
        return torch_peers.ternary(W, torch_peers.max_threshold(W), Wp, Wn)

    gradient = torch_peers.ternary_gradient
    if compile:
        ternary, gradient = torch.compile(ternary), torch.compile(gradient)
    codes = ternary(W, Wp, Wn)[1]
    return (lambda: ternary(W, Wp, Wn), lambda: gradient(g, codes, Wp, Wn))


SIDES = {
    'numpy': reference,
    'compiled': compiled,
    'torch': pytorch,
    'torch.compile': lambda *args: pytorch(*args, compile=True),
}


def check(name, side, expected):
    """Codes and values exactly, sums within rounding."""
    import numpy
    values, codes, gW, sums = expected
    forward, backward = side[0](), side[1]()
    if name.startswith('torch'):
        forward, backward = [
            [a.numpy() for a in result] for result in (forward, backward)]
        backward = backward[0], backward[1], -backward[2]
    for actual, right in ((forward[0], values), (forward[1], codes),
                          (backward[0], gW)):
        numpy.testing.assert_array_equal(actual, right, name)
    # of a sum in single precision, over numbers of both signs
    tolerance = 1e-6 * float(numpy.abs(gW, dtype='d').sum())
    numpy.testing.assert_allclose(
        [float(s) for s in backward[1:]], sums, 0, tolerance, err_msg=name)


def measure(sides, args):
    """Seconds of forward and backward of each side."""
    times = {name: ([], []) for name in sides}
    for _ in range(args.turns):
        for name, side in sides.items():
            # the threads of the side before go to sleep
            time.sleep(0.02)
            for function, found in zip(side, times[name]):
                function()
                for _ in range(args.calls):
                    start = time.perf_counter()
                    function()
                    found.append(time.perf_counter() - start)
    return times


def main():
    args = parse_args()
    most = str(max(args.threads))
    os.environ['OPENBLAS_NUM_THREADS'] = os.environ['OMP_NUM_THREADS'] = most
    import step_case
    step_case.settle_process()
    import numpy
    import threadpoolctl
    import torch
    import train_step
    from quantized_net import files
    from quantized_net import kernels

    numpy.random.seed(0)
    W, g = numpy.random.normal(0, 0.1, (2, args.size)).astype('f')
    Wp, Wn = [numpy.array(v, 'f') for v in (0.8, 1.3)]
    lines, results = [], []

    def say(line):
        print(line, flush=True)
        lines.append(line)

    say('TTQ, %d weights: medians, milliseconds; ratio = compiled / this'
        % args.size)
    say(train_step.processor())
    for line in train_step.software(*step_case.versions(with_torch=True)):
        say(line)
    say('%7s %-14s %9s %9s %9s %7s' % (
        'threads', 'side', 'forward', 'backward', 'both', 'ratio'))
    for threads in args.threads:
        kernels.set_threads(threads)
        torch.set_num_threads(threads)
        torch._dynamo.reset()
        with threadpoolctl.threadpool_limits(threads, user_api='blas'):
            sides, failures = {}, []
            for name, make in SIDES.items():
                try:
                    sides[name] = make(W, g, Wp, Wn)
                except Exception as e:  # no compiler, perhaps
                    if name != 'torch.compile':
                        raise
                    failures.append('%7d %-14s failed: %s' % (
                        threads, name, ' '.join(str(e).split())[:300]))
            values, codes = sides['numpy'][0]()
            gW = sides['numpy'][1]()[0]
            sums = [g[codes == sign].sum(dtype='d') for sign in (1, -1)]
            for name, side in sides.items():
                check(name, side, (values, codes, gW, sums))
            times = measure(sides, args)
        medians = {name: [statistics.median(t) * 1e3 for t in found]
                   for name, found in times.items()}
        for name, (forward, backward) in medians.items():
            both = forward + backward
            say('%7d %-14s %9.3f %9.3f %9.3f %7.2f' % (
                threads, name, forward, backward, both,
                sum(medians['compiled']) / both))
        for line in failures:
            say(line)
        results.append({'threads': threads, 'times': times,
                        'medians': medians, 'failures': failures})
    say('codes, values and gradients of the weights equal the reference; '
        'the sums agree within rounding')
    if args.out:
        os.makedirs(args.out, exist_ok=True)
        path = os.path.join(args.out, 'ternary')
        files.write_text(path + '.txt', '\n'.join(lines) + '\n')
        files.write_text(path + '.json', json.dumps(results) + '\n')


if __name__ == '__main__':
    main()
