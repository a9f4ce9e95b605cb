"""Settings that `import quantized_net` makes in the process."""

import os
import platform
import subprocess
import sys

import pytest

needs_glibc = pytest.mark.skipif(
    platform.libc_ver()[0] != 'glibc', reason='another C library')

CODE = '''
import resource
import quantized_net
import numpy

def step():
    for size in (1 << 20, 1 << 23, 3 << 22):  # 4, 32 and 48 MiB
        numpy.ones(size, 'f')

step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
'''


def page_faults(**settings):
    environment = {
        name: value for name, value in os.environ.items()
        if not name.startswith(('MALLOC_', 'GLIBC_'))}
    done = subprocess.run(
        [sys.executable, '-c', CODE], capture_output=True, text=True,
        env=dict(environment, **settings), check=True)
    return int(done.stdout)


@needs_glibc
def test_memory_of_freed_arrays_is_used_again():
    assert page_faults() < 100


@needs_glibc
def test_settings_of_the_environment_win():
    # numpy asks for huge pages: 2 MiB a fault
    assert page_faults(MALLOC_TRIM_THRESHOLD_='131072') > 100


@pytest.mark.parametrize('given,expected', [
    ({}, '4'), ({'OPENBLAS_THREAD_TIMEOUT': '20'}, '20')])
def test_threads_of_openblas(given, expected):
    environment = dict(os.environ)
    environment.pop('OPENBLAS_THREAD_TIMEOUT', None)
    done = subprocess.run(
        [sys.executable, '-c', 'import os, quantized_net; '
         'print(os.environ["OPENBLAS_THREAD_TIMEOUT"])'],
        capture_output=True, text=True, env=dict(environment, **given),
        check=True)
    assert done.stdout.strip() == expected
