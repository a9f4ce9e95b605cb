"""Data sets for the CIFAR networks, by name."""

import numpy
import pytest

import quantized_net
from quantized_net import datasets
from quantized_net.datasets import cifar

import cifar_files


@pytest.mark.parametrize('name, n_classes', [
    ('cifar10', 10), ('cifar100', 100)])
def test_images_by_name(tmp_path, small, capsys, name, n_classes):
    folder = small[name].lay_out(tmp_path / 'data')
    data = datasets.load_images(name, folder)
    assert data.name == name and data.n_classes == n_classes
    cifar_files.check_arrays((data.train, data.test), small[name])
    assert not capsys.readouterr().err


def test_images_of_the_digits(capsys):
    data = datasets.load_images('digits')
    assert data.name == 'digits' and data.n_classes == 10
    for (images, labels), part in zip(
            (data.train, data.test), datasets.get_digits(3)):
        assert images.shape == (len(part), 1, 28, 28)
        assert images.dtype == numpy.uint8 and labels.dtype == numpy.int32
        for image, label, (as_float, right) in zip(images, labels, part):
            numpy.testing.assert_allclose(
                image / 255, as_float, 0, .5 / 255 + 1e-6)
            assert label == right
    assert not capsys.readouterr().err


def test_auto_takes_the_digits_and_says_so(small, unreachable, capsys):
    assert datasets.load_images().name == 'digits'
    message = capsys.readouterr().err
    assert message.startswith('NOT CIFAR-10') and message.count('\n') == 1
    assert 'data set cifar10' in message


def test_auto_takes_what_is_there(tmp_path, small10, unreachable, capsys):
    folder = small10.lay_out(tmp_path / 'data')
    data = datasets.load_images('auto', folder)
    assert data.name == 'cifar10'
    with cifar_files.serve(small10.archive) as (_, mirrors):
        cifar.load_arrays('cifar10', mirrors=mirrors)
    data = datasets.load_images()
    assert data.name == 'cifar10' and data.n_classes == 10
    cifar_files.check_arrays((data.train, data.test), small10)
    assert not capsys.readouterr().err


def test_auto_downloads_where_a_mirror_answers(
        small10, monkeypatch, capsys):
    with cifar_files.serve(small10.archive) as (_, mirrors):
        monkeypatch.setattr(cifar, 'MIRRORS', tuple(mirrors))
        assert datasets.load_images().name == 'cifar10'
    assert cifar.is_cached('cifar10')
    assert not capsys.readouterr().err


def test_auto_does_not_hide_a_bad_folder(tmp_path, small):
    with pytest.raises(quantized_net.UserError):
        datasets.load_images('auto', str(tmp_path))


@pytest.mark.parametrize('name', cifar_files.NAMES)
def test_images_by_name_are_strict(small, unreachable, name):
    with pytest.raises(quantized_net.UserError, match='data_dir'):
        datasets.load_images(name)


def test_unknown_name():
    with pytest.raises(quantized_net.UserError, match="'mnist'.*cifar100"):
        datasets.load_images('mnist')


def test_digits_read_no_folder(tmp_path):
    with pytest.raises(quantized_net.UserError, match='data_dir'):
        datasets.load_images('digits', str(tmp_path))
