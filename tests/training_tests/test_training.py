"""Devices, values of options, output folders."""

import argparse
import os

import chainer
import numpy
import pytest

from quantized_net import errors
from quantized_net import files
from quantized_net.training import device as devices
from quantized_net.training import options
from quantized_net.training import run
import testing


@pytest.mark.parametrize('gpu,specifier', [
    (-1, None), (-3, None), (-1, '-1'), (0, '@numpy')])
def test_cpu(gpu, specifier):
    assert devices.get(gpu, specifier).xp is chainer.backend.CpuDevice().xp


@pytest.mark.parametrize('specifier', [
    'cuda', '@cupy:', '@cupy:x', '@cupy:\u00b2', '@cupy:-1', '--1', '\u00b2',
    '9' * 5000, ''])
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
    (options.positive_int, ['1', '20'], ['0', '-1', '1.5', 'x', '']),
    (options.positive_float, ['.1', '2'], ['0', '-1', 'nan', 'inf', 'x']),
    (options.non_negative_float, ['0', '2.5'], ['-1', 'nan', 'inf', '']),
    (options.fraction, ['0', '.999'], ['1', '-.1', 'nan', 'x']),
    (options.share, ['0', '1'], ['1.1', '-.1', 'nan', 'x']),
    (options.seed_int, ['0', '7'], ['-1', '4294967296', 'x'])])
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
