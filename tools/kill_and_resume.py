#!/usr/bin/env python3
"""Kills a run at random times and resumes it: kill_and_resume.py [N [SEED]].

train_mnist.py trains on the bundled digits and is killed (SIGKILL) and
started again with --autoload, until N kills are done; each run that got to
its end has to have the last snapshot of a run that nobody killed, bit for
bit but for its times.  The exit status is 1 where one has not.
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
OPTIONS = ['--dataset', 'digits', '--unit', '32', '--epoch', '6']


def start(out):
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *OPTIONS, '--autoload', '--out', out],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        env=dict(os.environ, OMP_NUM_THREADS='1'))


def train(out, draw=None, longest=0.):
    """Trains to the end; returns how many kills that took.

    Args:
        out (str): Folder of the results.
        draw (random.Random or None): For the times of the kills; without it
            there are none.
        longest (float): The most seconds before a kill.

    """
    n_kills = 0
    while True:
        process = start(out)
        try:
            seconds = draw.uniform(0, longest) if draw else None
            _, said = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            n_kills += 1
            continue
        if process.returncode:
            sys.exit('a run failed: %s' % said.decode())
        return n_kills


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
        n_kills = n_runs = n_other = 0
        while n_kills < n:
            out = os.path.join(folder, str(n_runs))
            n_kills += train(out, draw, longest)
            n_runs += 1
            left = [name for name in os.listdir(out) if 'tmp' in name]
            if not are_same(last_snapshot(out), expected) or left:
                n_other += 1
                print('%s is another run, or left %s' % (out, left),
                      file=sys.stderr)
    print('%d kills in %d runs, %d of them not as the whole one; %.0f s'
          % (n_kills, n_runs, n_other, time.monotonic() - start_time))
    return n_other


if __name__ == '__main__':
    sys.exit(main(*map(int, sys.argv[1:])) > 0)
