"""MNIST out of its files, and what is wrong with them."""

import errno
import gzip
import hashlib
import os

import chainer
import numpy
import pytest

import quantized_net
from quantized_net import datasets
from quantized_net.datasets import mnist


def content(spec):
    header = numpy.array((spec.magic,) + spec.shape, '>i4').tobytes()
    high = 10 if len(spec.shape) == 1 else 256
    return header + numpy.random.randint(
        0, high, spec.shape).astype(numpy.uint8).tobytes()


@pytest.fixture
def small(monkeypatch, tmp_path):
    """MNIST of 6 and 4 images: contents by file name; an empty cache."""
    contents, specs = {}, {}
    for key, spec in mnist.FILES.items():
        n = 6 if key[0] == 'train' else 4
        spec = spec._replace(shape=(n,) + spec.shape[1:])
        contents[spec.name] = content(spec)
        specs[key] = spec._replace(
            md5=hashlib.md5(contents[spec.name]).hexdigest(),
            gz_md5=hashlib.md5(
                gzip.compress(contents[spec.name], mtime=0)).hexdigest())
    monkeypatch.setattr(mnist, 'FILES', specs)
    monkeypatch.setattr(mnist, 'MIRRORS', ())
    root = tmp_path / 'cache'
    previous = chainer.dataset.get_dataset_root()
    chainer.dataset.set_dataset_root(str(root))
    yield contents
    chainer.dataset.set_dataset_root(previous)


def lay_out(folder, contents, packed=True):
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in contents.items():
        if packed:
            (folder / (name + '.gz')).write_bytes(
                gzip.compress(data, mtime=0))
        else:
            (folder / name).write_bytes(data)
    return folder


@pytest.mark.parametrize('packed', [True, False])
@pytest.mark.parametrize('sub', ['', 'mnist', 'MNIST/raw'])
def test_original_files(tmp_path, small, packed, sub):
    lay_out(tmp_path / 'data' / sub, small, packed)
    train, test = datasets.get_mnist(str(tmp_path / 'data'))
    assert (len(train), len(test)) == (6, 4)
    image, label = train[5]
    raw = numpy.frombuffer(
        small['train-images-idx3-ubyte'], numpy.uint8)[-784:]
    assert image.dtype == numpy.float32 and image.shape == (784,)
    numpy.testing.assert_allclose(image, raw / 255., 1e-6)
    assert label.dtype == numpy.int32
    assert label == small['train-labels-idx1-ubyte'][-1]


@pytest.mark.parametrize('packed', [True, False])
def test_names_with_a_dot(tmp_path, small, packed):
    lay_out(tmp_path, {name.replace('-idx', '.idx'): data
                       for name, data in small.items()}, packed)
    assert len(datasets.get_mnist(str(tmp_path))[0]) == 6


def test_bomb(tmp_path, small, peak):
    folder = lay_out(tmp_path / 'data', small)
    name = 't10k-labels-idx1-ubyte'
    with gzip.open(folder / (name + '.gz'), 'wb') as f:
        f.write(small[name])
        for _ in range(64):
            f.write(bytes(1 << 20))
    with peak(1 << 20):
        with pytest.raises(quantized_net.UserError, match=name):
            datasets.get_mnist(str(folder))


@pytest.mark.parametrize('how', ['no folder', 'full disk'])
def test_cache_that_can_not_be_written(tmp_path, small, how, monkeypatch):
    folder = lay_out(tmp_path / 'mirror', small)
    if how == 'no folder':
        (tmp_path / 'file').write_text('')
        chainer.dataset.set_dataset_root(str(tmp_path / 'file' / 'cache'))
    else:
        def fail(f, **arrays):
            raise OSError(errno.ENOSPC, 'No space left on device')
        monkeypatch.setattr(numpy, 'savez_compressed', fail)
    with pytest.raises(quantized_net.UserError,
                       match='cache .*(Not a directory|No space).*ROOT'):
        datasets.get_mnist(mirrors=['file://%s/' % folder])


def test_three_dimensions(tmp_path, small):
    train, _ = datasets.get_mnist(
        str(lay_out(tmp_path / 'data', small)), ndim=3)
    assert train[0][0].shape == (1, 28, 28)


def damaged(data, how):
    packed = gzip.compress(data, mtime=0)
    if how == 'half of it':
        return packed[:len(packed) // 2]
    if how == 'no gzip':
        return b'<html>404</html>'
    if how == 'short inside':
        return gzip.compress(data[:-1])
    if how == 'another file':
        return gzip.compress(b'\0\0\0\7' + data[4:])
    if how == 'one byte changed':
        return gzip.compress(data[:-1] + bytes([data[-1] ^ 1]))
    raise AssertionError(how)


@pytest.mark.parametrize('how', [
    'half of it', 'no gzip', 'short inside', 'another file',
    'one byte changed'])
def test_damaged_file_is_refused_by_name(tmp_path, small, how):
    folder = lay_out(tmp_path / 'data', small)
    name = 't10k-labels-idx1-ubyte'
    bad = folder / (name + '.gz')
    bad.write_bytes(damaged(small[name], how))
    before = bad.read_bytes()
    with pytest.raises(quantized_net.UserError, match=name):
        datasets.get_mnist(str(folder))
    assert bad.read_bytes() == before


def test_missing_file(tmp_path, small):
    folder = lay_out(tmp_path / 'data', small)
    os.remove(str(folder / 't10k-labels-idx1-ubyte.gz'))
    with pytest.raises(quantized_net.UserError, match='t10k-labels'):
        datasets.get_mnist(str(folder))


def test_folder_without_files(tmp_path, small):
    with pytest.raises(quantized_net.UserError, match='train-images'):
        datasets.get_mnist(str(tmp_path))
    with pytest.raises(quantized_net.UserError, match='no such folder'):
        datasets.get_mnist(str(tmp_path / 'nowhere'))


def test_download_fills_the_cache_of_chainer(tmp_path, small, monkeypatch):
    folder = lay_out(tmp_path / 'mirror', small)
    mirrors = ['file://%s/' % folder]
    train, test = datasets.get_mnist(mirrors=mirrors)
    assert (len(train), len(test)) == (6, 4)
    # Chainer finds it, and so does the second call, without any mirror
    assert len(chainer.datasets.get_mnist()[0]) == 6
    again, _ = datasets.get_mnist(mirrors=())
    assert (again[3][0] == train[3][0]).all()
    root = chainer.dataset.get_dataset_directory('pfnet/chainer/mnist')
    assert sorted(os.listdir(root)) == ['test.npz', 'train.npz']


@pytest.mark.parametrize('how', ['half of it', 'other pixels'])
def test_damaged_cache_is_refused_by_name(tmp_path, small, how):
    folder = lay_out(tmp_path / 'mirror', small)
    datasets.get_mnist(mirrors=['file://%s/' % folder])
    path = os.path.join(chainer.dataset.get_dataset_directory(
        'pfnet/chainer/mnist'), 'test.npz')
    if how == 'half of it':
        os.truncate(path, os.path.getsize(path) // 2)
    else:
        numpy.savez(path, x=numpy.zeros((4, 784), numpy.uint8),
                    y=numpy.zeros(4, numpy.uint8))
    with pytest.raises(quantized_net.UserError, match='test.npz'):
        datasets.get_mnist(mirrors=())


def test_no_changed_byte_of_the_cache_gives_a_traceback(tmp_path, small):
    folder = lay_out(tmp_path / 'mirror', small)
    parts = datasets.get_mnist(mirrors=['file://%s/' % folder])
    path = os.path.join(chainer.dataset.get_dataset_directory(
        'pfnet/chainer/mnist'), 'test.npz')
    with open(path, 'rb') as f:
        content = f.read()
    refused = 0
    for i in range(0, len(content), 3):
        with open(path, 'wb') as f:
            f.write(content[:i] + bytes([content[i] ^ 0x5a])
                    + content[i + 1:])
        try:
            again = datasets.get_mnist(mirrors=())
        except quantized_net.UserError as e:
            assert 'test.npz' in str(e)
            refused += 1
        else:  # a byte that says nothing, such as a date
            assert (again[1][3][0] == parts[1][3][0]).all()
    assert refused > 20


def test_auto_takes_the_digits_and_says_so(small, capsys):
    data = datasets.load('auto')
    assert data.name == 'digits'
    message = capsys.readouterr().err
    assert message.startswith('NOT MNIST') and message.count('\n') == 1


def test_auto_takes_what_is_there(tmp_path, small, capsys):
    folder = lay_out(tmp_path / 'data', small)
    assert datasets.load('auto', str(folder)).name == 'mnist'
    datasets.get_mnist(mirrors=['file://%s/' % folder])
    assert datasets.load('auto').name == 'mnist'
    assert not capsys.readouterr().err


def test_auto_downloads_where_a_mirror_answers(
        tmp_path, small, capsys, monkeypatch):
    folder = lay_out(tmp_path / 'mirror', small)
    monkeypatch.setattr(mnist, 'MIRRORS', (
        'http://127.0.0.1:9/', 'file://%s/' % folder))
    assert datasets.load('auto').name == 'mnist'
    assert mnist.is_cached()
    assert not capsys.readouterr().err


def test_auto_does_not_hide_a_bad_folder(tmp_path, small):
    with pytest.raises(quantized_net.UserError):
        datasets.load('auto', str(tmp_path))


def test_mnist_is_strict(small):
    with pytest.raises(quantized_net.UserError, match='data_dir'):
        datasets.load('mnist')


def test_unknown_name():
    with pytest.raises(quantized_net.UserError, match="'mnsit'.*mnist"):
        datasets.load('mnsit')


def test_digits():
    train, test = datasets.get_digits()
    assert (len(train), len(test)) == (1442, 355)
    images, labels = chainer.dataset.concat_examples(test[:])
    assert images.shape == (355, 784) and images.dtype == numpy.float32
    assert images.min() == 0 and .99 < images.max() <= 1
    assert numpy.bincount(labels).min() >= 30
    # the same 64 numbers are still in there
    from sklearn.datasets import load_digits
    original = load_digits().images[0] / 16
    scaled = train[0][0].reshape(28, 28)
    assert train[0][1] == 0
    numpy.testing.assert_allclose(
        scaled[[1, 5, 8, 12, 15, 19, 22, 26]][:, [
            1, 5, 8, 12, 15, 19, 22, 26]], original, atol=.2)


def test_digits_in_three_dimensions():
    assert datasets.get_digits(3)[0][0][0].shape == (1, 28, 28)


def test_split_validation():
    data = chainer.datasets.TupleDataset(numpy.arange(10))
    train, validation = datasets.split_validation(data, 3)
    assert [x for x, in train] == list(range(7))
    assert [x for x, in validation] == [7, 8, 9]
    for n in (0, 10, 11):
        with pytest.raises(quantized_net.UserError):
            datasets.split_validation(data, n)


def test_real_mnist(real_data):
    train, test = datasets.get_mnist(real_data)
    assert (len(train), len(test)) == (60000, 10000)
    assert train[0][1] == 5 and test[0][1] == 7
