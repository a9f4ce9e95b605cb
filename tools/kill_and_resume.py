#!/usr/bin/env python3
"""Kills a run at random times and resumes it: kill_and_resume.py [N [SEED]].

train_mnist.py trains on the bundled digits and is killed (SIGKILL) and
started again with --autoload, five times before it may get to its end, until
there were N kills.  Each run has to have the last snapshot of a run that
nobody killed, bit for bit but for its times.  The exit status is 1 where one
has not.
"""

import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

import numpy

SCRIPT = pathlib.Path(__file__).resolve().parent.parent / 'train_mnist.py'
KILLS = 5  # of a run
OPTIONS = ['--dataset', 'digits', '--unit', '32', '--epoch', '6']


def start(out):
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *OPTIONS, '--autoload', '--out', out],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        env=dict(os.environ, OMP_NUM_THREADS='1'))


def train(out, kills=()):
    """Trains to the end.

    Args:
        out (str): Folder of the results.
        kills (iterable of float): Seconds after which a process is killed,
            one after the other; the last one is not.

    """
    for seconds in [*kills, None]:
        process = start(out)
        try:
            _, said = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            continue
        if process.returncode:
            sys.exit('a run failed: %s' % said.decode())


def last_snapshot(out):
    """All of a finished run's last snapshot, but its times."""
    paths = pathlib.Path(out).glob('snapshot_iter_*')
    last = max(paths, key=lambda path: int(path.name.rsplit('_', 1)[1]))
    with numpy.load(last) as archive:
        return {name: archive[name] for name in archive.files
                if not name.endswith(('_log', '_elapsed_time'))}


def are_same(a, b):
    return set(a) == set(b) and all(
        a[name].tobytes() == b[name].tobytes() for name in a)


def main(n=50, seed=0):
    draw = random.Random(seed)
    start_time = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        whole = os.path.join(folder, 'whole')
        train(whole)
        longest = time.monotonic() - start_time
        expected = last_snapshot(whole)
        n_runs = n_other = 0
        for first in range(0, n, KILLS):
            out = os.path.join(folder, str(n_runs))
            train(out, [draw.uniform(0, longest)
                        for _ in range(min(KILLS, n - first))])
            n_runs += 1
            left = [name for name in os.listdir(out) if 'tmp' in name]
            if not are_same(last_snapshot(out), expected) or left:
                n_other += 1
                print('%s is another run, or left %s' % (out, left),
                      file=sys.stderr)
    print('%d kills in %d runs, %d of them not as the whole one; %.0f s'
          % (n, n_runs, n_other, time.monotonic() - start_time))
    return n_other


if __name__ == '__main__':
    sys.exit(main(*map(int, sys.argv[1:])) > 0)
