"""Settings of the process, which only the scripts make."""

import os
import platform
import subprocess
import sys

import pytest

import quantized_net

needs_glibc = pytest.mark.skipif(
    platform.libc_ver()[0] != 'glibc', reason='another C library')

CODE = '''
import resource
import quantized_net
import numpy
if {is_settled}:
    quantized_net.settle_process()

def step():
    for size in (1 << 20, 1 << 23, 3 << 22):  # 4, 32 and 48 MiB
        numpy.ones(size, 'f')

step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
'''


def page_faults(is_settled=True, **settings):
    environment = {
        name: value for name, value in os.environ.items()
        if not name.startswith(('MALLOC_', 'GLIBC_'))}
    done = subprocess.run(
        [sys.executable, '-c', CODE.format(is_settled=is_settled)],
        capture_output=True, text=True,
        env=dict(environment, **settings), check=True)
    return int(done.stdout)


@needs_glibc
def test_memory_of_freed_arrays_is_used_again():
    assert page_faults() < 100
    assert page_faults(is_settled=False) > 100  # an import changes nothing


@needs_glibc
def test_settings_of_the_environment_win():
    # numpy asks for huge pages: 2 MiB a fault
    assert page_faults(MALLOC_TRIM_THRESHOLD_='131072') > 100


@pytest.mark.parametrize('imports,given,expected', [
    ('_process', {}, '4'), ('numpy, _process', {}, None),
    ('_process', {'OPENBLAS_THREAD_TIMEOUT': '20'}, '20')])
def test_threads_of_openblas(imports, given, expected):
    environment = dict(os.environ, PYTHONPATH=os.path.dirname(
        quantized_net.__file__))
    environment.pop('OPENBLAS_THREAD_TIMEOUT', None)
    done = subprocess.run(
        [sys.executable, '-c', 'import os, %s; _process.settle_process(); '
         'print(os.environ.get("OPENBLAS_THREAD_TIMEOUT"))' % imports],
        capture_output=True, text=True, env=dict(environment, **given),
        check=True)
    assert done.stdout.strip() == str(expected)


def test_import_leaves_the_process_alone():
    done = subprocess.run(
        [sys.executable, '-c', """
import os, sys
from multiprocessing import forkserver
import multiprocessing
multiprocessing.set_forkserver_preload(['mine'])
before = dict(os.environ)
import quantized_net
assert dict(os.environ) == before
assert 'pytest' not in sys.modules and 'chainer.testing' not in sys.modules
assert forkserver._forkserver._preload_modules == ['mine', 'quantized_net']
"""], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
