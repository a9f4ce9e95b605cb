"""Programs that MPI's launcher starts, under a limit of time."""

import functools
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SECONDS = 180  # for a machine with much else to do


@functools.lru_cache(maxsize=None)
def _launcher():
    """The command of the launcher of mpi4py's MPI, or why there is none."""
    told = os.environ.get('QUANTIZED_NET_TEST_MPIEXEC')
    if told:
        return told.split(), None
    path = shutil.which('mpiexec', path=os.path.dirname(sys.executable)) or (
        shutil.which('mpiexec'))
    if path is None:
        return None, 'no mpiexec here: make setup EXTRAS=mpich brings one'
    asked = subprocess.run(
        [sys.executable, '-c',
         'from mpi4py import MPI; print(MPI.Get_library_version())'],
        capture_output=True, text=True, timeout=SECONDS)
    if asked.returncode:
        return None, 'mpi4py can not be imported: make setup EXTRAS=mpich'
    command = [path]
    if 'Open MPI' in asked.stdout:
        command += ['--allow-run-as-root', '--oversubscribe']
    return command, None


def command(n, *args):
    """The command line that starts n processes of a Python program."""
    found, reason = _launcher()
    if found is None:
        pytest.skip(reason)
    if n == 1:
        return [sys.executable, *map(str, args)]
    return [*found, '-n', str(n), sys.executable, *map(str, args)]


def options():
    """What each process is started with."""
    environment = dict(os.environ, OMP_NUM_THREADS='1')
    environment['PYTHONPATH'] = os.pathsep.join(
        [str(ROOT), environment.get('PYTHONPATH', '')])
    return dict(text=True, env=environment, stdin=subprocess.DEVNULL)


def run(n, *args, cwd=None, seconds=SECONDS):
    """Runs n processes of a program to their end; one without MPI."""
    return subprocess.run(
        command(n, *args), capture_output=True, timeout=seconds, cwd=cwd,
        **options())
