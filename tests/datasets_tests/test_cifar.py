"""CIFAR out of its files, and what is wrong with them."""

import os
import pickle

import numpy
import pytest

import quantized_net
from quantized_net.datasets import cifar

import cifar_files


@pytest.mark.parametrize('how', ['files', 'above', 'archive'])
@pytest.mark.parametrize('name', cifar_files.NAMES)
def test_original_files(tmp_path, small, name, how):
    folder = small[name].lay_out(tmp_path / 'data', how)
    cifar_files.check_arrays(cifar.load_arrays(name, folder, ()), small[name])
    assert not cifar.is_cached(name)


@pytest.mark.parametrize('ndim,shape', [(1, (3072,)), (3, (3, 32, 32))])
@pytest.mark.parametrize('name', cifar_files.NAMES)
def test_as_chainer_gives_it(tmp_path, small, name, ndim, shape):
    folder = small[name].lay_out(tmp_path / 'data')
    parts = cifar_files.OURS[name](folder, ndim, ())
    for part, data in zip(('train', 'test'), parts):
        x, y = small[name].expected(part)
        assert len(data) == len(x)
        for i, (image, label) in enumerate(data[:]):
            assert image.dtype == numpy.float32 and image.shape == shape
            numpy.testing.assert_allclose(
                image.ravel(), x[i] / 255., 1e-6)
            assert label.dtype == numpy.int32 and label == y[i]


def test_stray_file_of_the_same_name(tmp_path, small):
    # CIFAR-100 calls its files "train" and "test"
    folder = small['cifar100'].lay_out(tmp_path / 'data', 'above')
    (tmp_path / 'data' / 'test').write_bytes(b'something else')
    cifar_files.check_arrays(
        cifar.load_arrays('cifar100', folder), small['cifar100'])


@pytest.mark.parametrize('how', cifar_files.DAMAGES)
@pytest.mark.parametrize('file', ['data_batch_4', 'test_batch'])
def test_damaged_file_is_refused_by_name(tmp_path, small10, file, how):
    folder = small10.lay_out(tmp_path / 'data')
    bad = tmp_path / 'data' / file
    bad.write_bytes(cifar_files.damaged(small10.contents[file], how))
    before = bad.read_bytes()
    with pytest.raises(
            quantized_net.UserError, match='data/%s .*get it again' % file):
        cifar.load_arrays('cifar10', folder)
    assert bad.read_bytes() == before


def test_file_of_the_other_data_set(tmp_path, small):
    folder = small['cifar100'].lay_out(tmp_path / 'data')
    (tmp_path / 'data' / 'test').write_bytes(
        small['cifar10'].contents['test_batch'])
    with pytest.raises(quantized_net.UserError, match='data/test .*CIFAR-100'):
        cifar.load_arrays('cifar100', folder)


def test_file_of_20_gigabytes(tmp_path, small10, peak):
    folder = small10.lay_out(tmp_path / 'data')
    os.truncate(tmp_path / 'data' / 'data_batch_1', 20 << 30)  # sparse
    with peak(1 << 20):
        with pytest.raises(quantized_net.UserError, match='data_batch_1'):
            cifar.load_arrays('cifar10', folder)


@pytest.mark.parametrize('how', ['files', 'above'])
@pytest.mark.parametrize('file', ['data_batch_3', 'test_batch'])
def test_missing_file(tmp_path, small10, file, how):
    folder = small10.lay_out(tmp_path / 'data', how)
    where = small10.spec.folder if how == 'above' else ''
    os.remove(os.path.join(folder, where, file))
    with pytest.raises(
            quantized_net.UserError,
            match='data.* lacks %s of CIFAR-10; unpack cifar-10' % file):
        cifar.load_arrays('cifar10', folder)


@pytest.mark.parametrize('name', cifar_files.NAMES)
def test_folder_without_files(tmp_path, small, name):
    spec = small[name].spec
    with pytest.raises(quantized_net.UserError, match='%s.* neither %s' % (
            tmp_path, spec.archive)):
        cifar.load_arrays(name, str(tmp_path))
    with pytest.raises(
            quantized_net.UserError, match='data_dir .*nowhere: no such'):
        cifar.load_arrays(name, str(tmp_path / 'nowhere'))


def test_published_numbers():
    for name, spec in cifar.SPECS.items():
        for part, n in (('train', 50000), ('test', 10000)):
            assert sum(size for _, _, size in spec.files[part]) == n, name


def test_real_cifar10(real_data):
    parts = cifar.load_arrays('cifar10', real_data)
    folder = os.path.join(real_data, 'cifar-10-batches-py')
    names = (['data_batch_%d' % i for i in range(1, 6)], ['test_batch'])
    for (images, labels), files, n in zip(parts, names, (50000, 10000)):
        assert images.shape == (n, 3, 32, 32) and images.dtype == numpy.uint8
        assert labels.shape == (n,) and labels.dtype == numpy.int32
        assert (numpy.bincount(labels) == n // 10).all()
        for i, file in enumerate(files):
            with open(os.path.join(folder, file), 'rb') as f:
                content = pickle.load(f, encoding='latin-1')
            here = slice(10000 * i, 10000 * (i + 1))
            assert (images[here].reshape(-1, 3072) == content['data']).all()
            assert (labels[here] == content['labels']).all()
    assert abs(parts[0][0].mean() - 120.70756512369792) < 1e-6


def test_real_cifar10_as_chainer_gives_it(real_data):
    train, test = cifar.get_cifar10(real_data)
    assert (len(train), len(test)) == (50000, 10000)
    image, label = train[0]
    assert image.shape == (3, 32, 32) and image.dtype == numpy.float32
    assert 0 <= image.min() and image.max() <= 1
    assert label == 6 and test[0][1] == 3  # a frog and a cat
