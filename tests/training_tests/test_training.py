"""Devices, comparison with published figures, output folders."""

import argparse
import os

import chainer
import numpy
import pytest

from quantized_net import errors
from quantized_net import files
from quantized_net.published import mnist_qnn
from quantized_net.training import arguments
from quantized_net.training import comparison
from quantized_net.training import device as devices
from quantized_net.training import run
import testing


@pytest.mark.parametrize('gpu,specifier', [
    (-1, None), (-3, None), (-1, '-1'), (0, '@numpy')])
def test_cpu(gpu, specifier):
    assert devices.get(gpu, specifier).xp is chainer.backend.CpuDevice().xp


@pytest.mark.parametrize('specifier', ['cuda', '@cupy:', '@cupy:x', ''])
def test_unknown_device(specifier):
    with pytest.raises(errors.UserError, match='--device'):
        devices.get(-1, specifier)


def test_gpu_that_is_not_there():
    with pytest.raises(errors.UserError, match='--gpu 99'):
        devices.get(99)


def draw(xp):
    return testing.to_cpu(xp.random.random_sample(5))


def test_seed_of_both_generators(device):
    drawn = []
    for value in (3, 3, 4):
        devices.seed(device, value)
        drawn.append([draw(numpy), draw(device.xp)])
    numpy.testing.assert_array_equal(drawn[0], drawn[1])
    assert (drawn[0][0] != drawn[2][0]).all()
    assert (drawn[0][1] != drawn[2][1]).all()


@pytest.mark.parametrize('function,good,bad', [
    (arguments.positive_int, ['1', '20'], ['0', '-1', '1.5', 'x', '']),
    (arguments.positive_float, ['.1', '2'], ['0', '-1', 'nan', 'inf', 'x']),
    (arguments.non_negative_float, ['0', '2.5'], ['-1', 'nan', 'inf', '']),
    (arguments.fraction, ['0', '.999'], ['1', '-.1', 'nan', 'x']),
    (arguments.seed_int, ['0', '7'], ['-1', '4294967296', 'x'])])
def test_values_of_options(function, good, bad):
    for text in good:
        assert function(text) == float(text)
    for text in bad:
        with pytest.raises(argparse.ArgumentTypeError, match=repr(text)):
            function(text)


def test_file_stays_whole_when_writing_fails(tmp_path):
    path = str(tmp_path / 'file')
    files.write_text(path, 'old')
    with pytest.raises(ZeroDivisionError):
        with files.replacing(path) as temporary:
            with open(temporary, 'w') as f:
                f.write('half')
            raise ZeroDivisionError
    assert open_and_read(path) == 'old'
    assert os.listdir(str(tmp_path)) == ['file']


def open_and_read(path):
    with open(path) as f:
        return f.read()


def test_output_folder_that_is_a_file(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(errors.UserError, match='--out'):
        run.make_out(str(tmp_path / 'file'))


def args(**options):
    values = dict(model='mlp', unit=1000, batchsize=100, epoch=20,
                  validation=False)
    values.update(options)
    return argparse.Namespace(**values)


def log():
    return [dict(zip(mnist_qnn.KEYS, row), epoch=epoch)
            for epoch, row in enumerate(mnist_qnn.QNN_TABLE, 1)]


def test_the_published_run_compares_with_itself():
    text = comparison.table(args(), 'qnn', 'mnist', log())
    line, = [row for row in text.splitlines()
             if row.startswith('validation accuracy')]
    assert line.split()[2:5] == ['0.98060', '0.98060', '+0.00000']
    assert float(line.split()[-1]) == 0
    assert 'peisuke/qnn' in text


@pytest.mark.parametrize('options,dataset', [
    ({'unit': 10}, 'mnist'), ({'batchsize': 50}, 'mnist'), ({}, 'digits')])
def test_other_experiments_are_not_compared(options, dataset):
    text = comparison.table(args(**options), 'qnn', dataset, log())
    assert '0.00000' not in text and 'peisuke' not in text
    assert not comparison.curves(args(**options), 'qnn', dataset, 'loss')


def test_chosen_by_validation():
    rows = log()
    for row in rows:
        row['test/main/accuracy'] = row['validation/main/accuracy'] - .01
    text = comparison.table(args(validation=True), 'qnn', 'mnist', rows)
    assert 'epoch 18, test accuracy 0.97130' in text


def test_published_figures():
    assert mnist_qnn.find('qnn', 20, 'validation/main/accuracy').value == (
        .9806)
    assert mnist_qnn.find('bnn', 20, 'validation/main/accuracy').value == (
        .9766)
    for method, epoch in (('float', 20), ('qnn', 21), ('bnn', 19)):
        assert mnist_qnn.find(
            method, epoch, 'validation/main/accuracy') is None
    assert mnist_qnn.mean_of_last('bnn', 20, 'main/loss') is None
