"""Runs of the training scripts, as a user starts them."""

import json
import os
import pathlib
import random
import subprocess
import sys
import time

import numpy

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def _command(script, args):
    return ([sys.executable, str(ROOT / script), *map(str, args)],
            dict(text=True, env=dict(os.environ, OMP_NUM_THREADS='1')))


def run(script, *args, cwd=None):
    command, options = _command(script, args)
    return subprocess.run(
        command, capture_output=True, timeout=300, cwd=cwd, **options)


def start(script, *args, until):
    """Starts a script that runs on, and waits for a file of its folder.

    Args:
        script (str): Name of the script.
        args: Options.
        until (~pathlib.Path): Folder and pattern of the file.

    """
    command, options = _command(script, args)
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    deadline = time.monotonic() + 120
    while not list(until.parent.glob(until.name)):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(.01)
    return process


def assert_kill_and_resume_is_one_run(tmp_path, seconds, script, *args):
    """SIGKILL at a random moment within seconds of the first snapshot."""
    whole, pieces = tmp_path / 'whole', tmp_path / 'pieces'
    assert run(script, *args, '--out', whole).returncode == 0
    process = start(script, *args, '--out', pieces,
                    until=pieces / 'snapshot_iter_*')
    time.sleep(random.Random().uniform(0, seconds))
    process.kill()
    process.communicate()
    done = run(script, *args, '--out', pieces, '--autoload')
    assert done.returncode == 0, done.stderr
    assert_same_run(whole, pieces)


def rows_of(out):
    """The log of a run, without its times."""
    return [{k: v for k, v in row.items() if k != 'elapsed_time'}
            for row in json.loads((out / 'log').read_text())]


def assert_same_run(a, b, has_budget=False):
    """Compares all of the last snapshot and of the log, but the times.

    ``has_budget``: the second had a time budget, of which it saves a part.
    """
    last = max(a.glob('snapshot_iter_*'),
               key=lambda p: int(p.name.rsplit('_', 1)[1])).name
    with numpy.load(str(a / last)) as x, numpy.load(str(b / last)) as y:
        assert set(x.files) == {
            name for name in y.files
            if not (has_budget and 'TimeBudget' in name)}
        for name in x.files:
            if 'log' not in name.lower() and 'elapsed' not in name:
                numpy.testing.assert_array_equal(x[name], y[name], name)
    assert rows_of(a) == rows_of(b)
