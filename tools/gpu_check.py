#!/usr/bin/env python3
"""The first minutes on a GPU: checks, published runs and a profile.

    python tools/gpu_check.py --packages DIR --data-dir DIR --out DIR

runs these stages, as far as --limit seconds go; the same command goes on
where the last one stopped.  All that they leave is under --out: logs,
tables, snapshots; the last lines are a table of what is there.

suite    the tests of the GPU's path, folder by folder
mnist    the published MNIST table: train_mnist.py --gpu=0, five seeds
profile  a training step of ResNet-20, float and TTQ, beside PyTorch
cifar    CIFAR-10, ResNet-20: float, then TTQ and TWN from it

It needs NumPy, CuPy, pytest, matplotlib, scikit-learn and, for the peers,
PyTorch; --packages names a folder that holds chainer, six and filelock (pip
install --target).  It installs nothing.
"""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAUSED = 75  # of the scripts: the time was up, a snapshot is there
SECONDS_TO_STOP = 15  # that a script may take after an interrupt
SECONDS_TO_START = 30  # with less left nothing is begun


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', '-o', type=pathlib.Path, default='gpu_check')
    parser.add_argument('--packages', type=pathlib.Path, metavar='DIR')
    parser.add_argument('--data-dir', type=pathlib.Path, metavar='DIR')
    parser.add_argument('--limit', type=float, default=570, metavar='SECONDS')
    parser.add_argument(
        '--stages', default=','.join(STAGES), help='default: %(default)s')
    parser.add_argument('--seeds', type=int, default=5)
    parser.add_argument('--mnist-options', default='', metavar='OPTIONS',
                        help='more of train_mnist.py, in one word')
    parser.add_argument('--batch', type=int, default=128,
                        help='of the profile (default: %(default)s)')
    parser.add_argument('--steps', type=int, default=50,
                        help='of the profile (default: %(default)s)')
    parser.add_argument(
        '--cifar', default='float,ttq,twn', help='default: %(default)s')
    parser.add_argument('--cifar-options', default='', metavar='OPTIONS',
                        help='more of train_cifar.py, in one word')
    parser.add_argument(
        '--tests', nargs='+', metavar='PATH',
        help='of the suite stage (default: all of tests/)')
    parser.add_argument(
        '--on-host', action='store_true',
        help='try this tool without a GPU, on tests/cupy_standin')
    args = parser.parse_args()
    for name in args.stages.split(','):
        if name not in STAGES:
            parser.error('--stages %s: not one of %s' % (
                name, ', '.join(STAGES)))
    return args


class Session(object):

    """The options, the time that is left and the programs' environment."""

    def __init__(self, args):
        self.args = args
        self._end = time.monotonic() + args.limit
        # a compiled extension is taken from the checkout itself
        path = [str(ROOT)]
        if args.packages is not None:
            path.append(str(args.packages.resolve()))
        self.environment = dict(os.environ, PYTHONUNBUFFERED='1')
        if args.on_host:
            path.insert(0, str(ROOT / 'tests' / 'cupy_standin'))
            self.environment['QUANTIZED_NET_GPU_ON_HOST'] = '1'
        if os.environ.get('PYTHONPATH'):
            path.append(os.environ['PYTHONPATH'])
        self.environment['PYTHONPATH'] = os.pathsep.join(path)

    def left(self):
        return self._end - time.monotonic() - SECONDS_TO_STOP

    def has_time(self):
        return self.left() > SECONDS_TO_START

    def folder(self, *names):
        path = self.args.out.joinpath(*names)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def run(self, command, log):
        """Runs Python with its output in a log.

        Returns:
            int or None: The exit status; ``None`` where the time was up and
            the program was interrupted, and killed if it went on.

        """
        command = [sys.executable] + [str(c) for c in command]
        with log.open('a') as f:
            f.write('$ %s\n' % ' '.join(command))
            f.flush()
            process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdout=f, stderr=f)
            try:
                return process.wait(max(self.left(), 1))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)
            try:
                process.wait(SECONDS_TO_STOP)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        return None


def data_options(args):
    return [] if args.data_dir is None else [
        '--data-dir', args.data_dir.resolve()]


def read_json(path, default):
    return json.loads(path.read_text()) if path.exists() else default


# Stages: each goes on where it stopped ------------------------------------

def run_suite(session):
    folder = session.folder('suite')
    done_path = folder / 'done.json'
    done = read_json(done_path, {})
    tests = session.args.tests or sorted(
        str(path.relative_to(ROOT)) for path in [
            *(ROOT / 'tests').glob('*_tests'),
            *(ROOT / 'tests').glob('test_*.py')])
    for path in tests:
        if path in done or not session.has_time():
            continue
        log = folder / (path.replace(os.sep, '.') + '.log')
        log.unlink(missing_ok=True)
        status = session.run(
            ['-m', 'pytest', '-q', '-p', 'no:cacheprovider', '-m', 'gpu',
             path], log)
        if status is None:
            continue
        lines = log.read_text().strip().split('\n')
        done[path] = {
            'is_good': status in (0, 5),  # 5: no such tests here
            'failed': [x for x in lines if x.startswith(('FAILED', 'ERROR'))],
            'last': lines[-1]}
        done_path.write_text(json.dumps(done, indent=1))


def suite_rows(session):
    done = read_json(session.args.out / 'suite' / 'done.json', {})
    for path, result in done.items():
        yield 'suite', path, result['last'].strip('= ')
        for line in result['failed'][:3]:
            yield '', '', line[:100]


def run_mnist(session):
    for seed in range(session.args.seeds):
        folder = session.folder('mnist', 'seed%d' % seed)
        if (folder / 'done').exists() or not session.has_time():
            continue
        status = session.run(
            ['train_mnist.py', '--gpu=0', '--seed', seed, '--autoload',
             '--out', folder.resolve(), *data_options(session.args),
             *session.args.mnist_options.split()], folder / 'output.txt')
        finish('mnist', folder, status)


def finish(stage, folder, status):
    """Marks a run that came to its end, or says how it failed."""
    if status == 0:
        (folder / 'done').touch()
    elif status not in (None, PAUSED):
        print('%s %s: exit status %d, see its output.txt' % (
            stage, folder.name, status), flush=True)


def training_row(stage, folder):
    log = read_json(folder / 'log', [])
    if not log:
        return stage, folder.name, 'no epoch yet: see output.txt'
    errors = [100 * (1 - row['validation/main/accuracy']) for row in log]
    return stage, folder.name, (
        '%d epochs, error %.2f %%, mean of the last ten %.2f %%, %.1f s an '
        'epoch%s' % (
            log[-1]['epoch'], errors[-1],
            sum(errors[-10:]) / len(errors[-10:]),
            log[-1]['elapsed_time'] / log[-1]['epoch'],
            '' if (folder / 'done').exists() else ', not done'))


def mnist_rows(session):
    for folder in sorted((session.args.out / 'mnist').glob('seed*')):
        yield training_row('mnist', folder)


def run_profile(session):
    folder = session.folder('profile')
    if session.has_time():
        session.run(
            ['tools/gpu_profile.py', '--out', folder.resolve(), '--batch',
             session.args.batch, '--steps', session.args.steps, '--limit',
             int(session.left())],
            folder / 'output.txt')


def profile_rows(session):
    for path in sorted((session.args.out / 'profile').glob('*.json')):
        result = json.loads(path.read_text())
        yield 'profile', path.stem, result['line']


def float_network(session):
    """--init and the float network's last snapshot; None before its end."""
    folder = session.args.out.resolve() / 'cifar' / 'float'
    if not (folder / 'done').exists():
        return None
    return ['--init', max(folder.glob('snapshot_iter_*'),
                          key=lambda p: int(p.name.rsplit('_', 1)[1]))]


def run_cifar(session):
    for method in session.args.cifar.split(','):
        folder = session.args.out / 'cifar' / method
        if (folder / 'done').exists() or not session.has_time():
            continue
        start = [] if method == 'float' else float_network(session)
        if start is None:
            continue
        folder = session.folder('cifar', method)
        command = [
            'train_cifar.py', '--gpu=0', '--method', method, '--autoload',
            # it stops by itself before it is interrupted
            '--epoch-budget', int(session.left() - SECONDS_TO_STOP),
            '--out', folder.resolve(), *start, *data_options(session.args),
            *session.args.cifar_options.split()]
        status = session.run(command, folder / 'output.txt')
        finish('cifar', folder, status)


def cifar_rows(session):
    for method in session.args.cifar.split(','):
        folder = session.args.out / 'cifar' / method
        if folder.exists():
            yield training_row('cifar', folder)


STAGES = {
    'suite': (run_suite, suite_rows), 'mnist': (run_mnist, mnist_rows),
    'profile': (run_profile, profile_rows), 'cifar': (run_cifar, cifar_rows)}


def main():
    args = parse_args()
    session = Session(args)
    versions = session.folder() / 'versions.txt'
    versions.unlink(missing_ok=True)
    session.run(['tools/gpu_profile.py', '--versions'], versions)
    for name in args.stages.split(','):
        print('%s: %.0f s left' % (name, max(session.left(), 0)), flush=True)
        STAGES[name][0](session)
    rows = [row for name in args.stages.split(',')
            for row in STAGES[name][1](session)]
    widths = [max([len(row[k]) for row in rows] + [0]) for k in (0, 1)]
    lines = versions.read_text().split('\n')[1:] + [
        '%-*s  %-*s  %s' % (widths[0], stage, widths[1], what, result)
        for stage, what, result in rows]
    (args.out / 'summary.txt').write_text('\n'.join(lines) + '\n')
    print('\n'.join(lines))


if __name__ == '__main__':
    main()
