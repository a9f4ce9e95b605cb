"""Ranks: what they agree on, share and draw; threads; the options."""

import os
import pathlib
import subprocess
import sys

import pytest

from quantized_net import _process
from quantized_net import errors
from quantized_net.training import device
from quantized_net.training import distributed
import mpi

CHECKS = pathlib.Path(__file__).with_name('checks.py')


def test_what_ranks_answer():
    done = mpi.run(2, CHECKS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split() == [
        'check_agreement', 'check_streams', 'check_shared', 'check_layout',
        'check_synchronized', 'check_evaluation']


@pytest.mark.parametrize('variables,expected', [
    ({'MPI_LOCALNRANKS': '2'}, 'half'),
    ({'OMPI_COMM_WORLD_LOCAL_SIZE': '1000'}, '1'),
    ({'MPI_LOCALNRANKS': '2', 'OMP_NUM_THREADS': '7'}, '7'),
    ({'MPI_LOCALNRANKS': '1'}, 'None'), ({}, 'None')])
def test_ranks_share_the_processors(variables, expected):
    if expected == 'half':
        expected = str(max(len(os.sched_getaffinity(0)) // 2, 1))
    environment = {name: value for name, value in os.environ.items()
                   if name != 'OMP_NUM_THREADS' and 'LOCAL' not in name}
    done = subprocess.run(
        [sys.executable, '-S', '-c',
         'import os, runpy; '
         'runpy.run_path(%r)["settle_process"](); '
         'print(os.environ.get("OMP_NUM_THREADS"))' % _process.__file__],
        env=dict(environment, **variables), capture_output=True, text=True)
    assert done.stdout.strip() == expected, done.stderr


def test_an_ordinary_run_imports_no_mpi():
    done = subprocess.run(
        [sys.executable, '-c',
         'import sys, train_mnist, train_cifar\n'
         'from quantized_net.training import distributed\n'
         'assert distributed.start(None).size == 1\n'
         'print([n for n in sys.modules if n.startswith(("mpi", "chainermn"))]'
         ')'], cwd=mpi.ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == '[]', done.stderr


def test_without_mpi4py(monkeypatch):
    monkeypatch.setitem(sys.modules, 'mpi4py', None)
    with pytest.raises(errors.UserError, match='make setup EXTRAS=mpich'):
        distributed.start('naive')


def test_several_processes_need_a_communicator(monkeypatch):
    monkeypatch.setenv('PMI_SIZE', '3')
    with pytest.raises(errors.UserError, match='3 processes were started'):
        distributed.start(None)


@pytest.mark.parametrize('name', ['flat', 'pure_nccl'])
def test_what_needs_a_gpu_says_so(name):
    distributed.check_device(name, 0)
    distributed.check_device('naive', -1)
    with pytest.raises(errors.UserError, match='is for GPUs'):
        distributed.check_device(name, device.check()[0])


def test_each_process_has_a_gpu_of_its_own(gpu):
    n = gpu.xp.cuda.runtime.getDeviceCount()
    with pytest.raises(errors.UserError, match='process %d of this mach' % n):
        device.get(0, None, n)
