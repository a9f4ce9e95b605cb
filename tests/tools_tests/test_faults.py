"""The tools that damage files and kill runs, with small numbers."""

import pathlib
import subprocess
import sys

import pytest

TOOLS = pathlib.Path(__file__).resolve().parent.parent.parent / 'tools'


@pytest.mark.skipif(
    not sys.platform.startswith('linux'), reason='limits of memory')
def test_damaged_files_end_in_one_line():
    done = subprocess.run(
        [sys.executable, str(TOOLS / 'fuzz_files.py'), '40', '5000'],
        capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(' 0 faults') == 2


def test_killed_runs_end_as_whole_ones():
    done = subprocess.run(
        [sys.executable, str(TOOLS / 'kill_and_resume.py'), '2', '1'],
        capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert ' 0 of them' in done.stdout
