"""The training scripts with --gpu=0: beside the CPU, stopped and resumed."""

import sys

import numpy
import pytest

from quantized_net import datasets
from scripts_tests import scripts

N_IMAGES = 48


@pytest.fixture
def cifar_script(gpu, monkeypatch, tmp_path):
    """Runs train_cifar.py here, on the first of the digits, batches of 16."""
    monkeypatch.syspath_prepend(str(scripts.ROOT))
    import train_cifar
    load = datasets.load_images

    def load_few(*args):
        data = load(*args)
        return data._replace(
            train=[a[:N_IMAGES] for a in data.train],
            test=[a[:N_IMAGES] for a in data.test])

    monkeypatch.setattr(datasets, 'load_images', load_few)

    def run(name, *options):
        out = tmp_path / name
        monkeypatch.setattr(sys, 'argv', [
            'train_cifar.py', '--dataset', 'digits', '--batchsize', '16',
            '--out', str(out), *options])
        train_cifar.main()
        return out
    return run


def assert_close_logs(a, b, tolerance):
    for row, other in zip(scripts.rows_of(a), scripts.rows_of(b)):
        assert row.keys() == other.keys()
        numpy.testing.assert_allclose(
            other['main/loss'], row['main/loss'], tolerance)


@pytest.mark.parametrize('method', ['float', 'bnn', 'qnn'])
def test_mnist_on_gpu_is_that_on_cpu(gpu, tmp_path, method):
    for name, options in [('cpu', []), ('gpu', ['--gpu=0'])]:
        done = scripts.run(
            'train_mnist.py', '--dataset', 'digits', '--unit', 20, '--epoch',
            1, '--method', method, '--out', tmp_path / name, *options)
        assert done.returncode == 0, done.stderr
    assert_close_logs(tmp_path / 'cpu', tmp_path / 'gpu', 1e-3)


def test_mnist_resumes_on_gpu(gpu, tmp_path):
    options = ('--gpu=0', '--dataset', 'digits', '--unit', 20,
               '--method', 'qnn')
    for name, epochs in [('whole', 2), ('pieces', 1), ('pieces', 2)]:
        done = scripts.run(
            'train_mnist.py', *options, '--epoch', epochs, '--autoload',
            '--out', tmp_path / name)
        assert done.returncode == 0, done.stderr
    scripts.assert_same_run(tmp_path / 'whole', tmp_path / 'pieces')


def test_cifar_on_gpu_resumes_and_begins_like_the_cpu(cifar_script):
    whole = cifar_script('whole', '--gpu=0', '--epoch', '2', '--method',
                         'float', '--drops', '1')
    for epochs in '12':
        pieces = cifar_script(
            'pieces', '--gpu=0', '--epoch', epochs, '--method', 'float',
            '--drops', '1', '--autoload')
    scripts.assert_same_run(whole, pieces)
    cpu = cifar_script('cpu', '--epoch', '1', '--method', 'float',
                       '--drops', '1')
    # three steps at a rate of 0.1, in float32
    assert_close_logs(cpu, whole, 1e-2)


def test_cifar_ternary_on_gpu(cifar_script):
    out = cifar_script('ttq', '--gpu=0', '--epoch', '1', '--method', 'ttq')
    row, = scripts.rows_of(out)
    assert numpy.isfinite(row['main/loss']) and 0 < row['zeros'] < 1
