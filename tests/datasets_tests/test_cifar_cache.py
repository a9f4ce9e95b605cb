"""CIFAR in Chainer's cache: downloaded, read, refused."""

import io
import os
import pickle

import chainer
import numpy
import pytest

import quantized_net
from quantized_net.datasets import cifar

import cifar_files


@pytest.mark.parametrize('name', cifar_files.NAMES)
def test_download_fills_the_cache_of_chainer(small, name):
    s = small[name]
    with cifar_files.serve(s.archive) as (server, mirrors):
        parts = cifar.load_arrays(name, mirrors=mirrors)
        assert server.paths == ['/' + s.spec.archive]
    cifar_files.check_arrays(parts, s)
    assert cifar_files.cached() == [s.spec.cache]
    assert cifar.is_cached(name)
    assert not cifar.is_cached(
        'cifar100' if name == 'cifar10' else 'cifar10')
    # the second call needs no mirror, and Chainer finds it
    cifar_files.check_arrays(cifar.load_arrays(name, mirrors=()), s)
    for ndim in (1, 3):
        cifar_files.check_same(cifar_files.OURS[name](None, ndim, ()),
                               cifar_files.CHAINERS[name](ndim=ndim))


def test_reads_the_cifar100_that_chainer_writes(tmp_path, small, monkeypatch):
    s = small['cifar100']
    path = os.path.join(
        s.lay_out(tmp_path / 'data', 'archive'), s.spec.archive)
    monkeypatch.setattr(
        chainer.dataset.download, 'cached_download', lambda url: path)
    theirs = chainer.datasets.get_cifar100()
    cifar_files.check_arrays(cifar.load_arrays('cifar100', mirrors=()), s)
    cifar_files.check_same(cifar.get_cifar100(mirrors=()), theirs)


def test_reads_the_cifar10_that_chainer_writes(
        tmp_path, small10, monkeypatch):
    # Chainer makes room for the published number of images, so that one
    # image for each of the five files becomes 10,000
    spec = small10.spec
    contents = {
        name: cifar_files.batch(spec, 1, numpy.full((1, 3072), i, numpy.uint8))
        for i, (name, _, _) in enumerate(spec.files['train'])}
    images = numpy.zeros((10000, 3072), numpy.uint8)
    images[::100] = numpy.arange(3072) % 256
    contents['test_batch'] = cifar_files.batch(spec, 10000, images)
    path = tmp_path / spec.archive
    path.write_bytes(cifar_files.pack(spec, contents))
    monkeypatch.setattr(
        chainer.dataset.download, 'cached_download', lambda url: str(path))
    chainer.datasets.get_cifar10(ndim=1)
    with pytest.raises(quantized_net.UserError, match='cifar-10.npz'):
        cifar.load_arrays('cifar10', mirrors=())
    monkeypatch.undo()  # the published number of images
    chainer.dataset.set_dataset_root(str(tmp_path / 'cache'))
    (train_x, train_y), (test_x, test_y) = cifar.load_arrays(
        'cifar10', mirrors=())
    assert train_x.shape == (50000, 3, 32, 32)
    for i in range(5):
        first = pickle.loads(contents['data_batch_%d' % (i + 1)])
        assert (train_x[10000 * i:10000 * (i + 1)].reshape(-1, 3072)
                == first['data']).all()
        assert (train_y[10000 * i:10000 * (i + 1)] == first['labels']).all()
    test = pickle.loads(contents['test_batch'])
    assert (test_x.reshape(-1, 3072) == images).all()
    assert (test_y == test['labels']).all()


@pytest.mark.parametrize('mode', ['404', 'lies', 'breaks'])
def test_failed_download_leaves_no_half_cache(small10, mode):
    s = small10
    with cifar_files.serve(s.archive, mode) as (server, mirrors):
        with pytest.raises(
                quantized_net.UserError,
                match='cifar-10-python.tar.gz.*data_dir'):
            cifar.load_arrays('cifar10', mirrors=mirrors)
        assert not cifar.is_cached('cifar10')
        assert cifar_files.cached() == (
            [s.spec.archive + '.part'] if mode == 'breaks' else [])
        # the next time, it works
        server.mode = 'works'
        cifar_files.check_arrays(
            cifar.load_arrays('cifar10', mirrors=mirrors), s)
    assert cifar_files.cached() == [s.spec.cache]


def test_the_next_mirror_is_asked(small10):
    with cifar_files.serve(b'', '404') as (_, first), (
            cifar_files.serve(small10.archive)) as (_, second):
        parts = cifar.load_arrays('cifar10', mirrors=first + second)
    cifar_files.check_arrays(parts, small10)


def test_no_half_cache_where_the_disk_is_full(small10, monkeypatch):
    def fail(f, **arrays):
        f.write(b'half')
        raise OSError('disk full')

    with cifar_files.serve(small10.archive) as (_, mirrors):
        with monkeypatch.context() as m:
            m.setattr(numpy, 'savez_compressed', fail)
            with pytest.raises(
                    quantized_net.UserError, match='cache .*disk full'):
                cifar.load_arrays('cifar10', mirrors=mirrors)
    # the archive is whole, and need not be downloaded again
    assert cifar_files.cached() == [small10.spec.archive]
    cifar_files.check_arrays(
        cifar.load_arrays('cifar10', mirrors=('http://127.0.0.1:9/',)),
        small10)
    assert cifar_files.cached() == [small10.spec.cache]


def write_cache(path, spec, how):
    n, m = (sum(size for _, _, size in spec.files[part])
            for part in ('train', 'test'))
    arrays = {
        'train_x': numpy.ones((n, 3072), numpy.uint8),
        'train_y': numpy.ones(n, numpy.uint8),
        'test_x': numpy.ones((m, 3072), numpy.uint8),
        'test_y': numpy.ones(m, numpy.uint8)}
    if how == 'key missing':
        del arrays['test_y']
    elif how == 'fewer images':
        arrays['train_x'] = arrays['train_x'][1:]
        arrays['train_y'] = arrays['train_y'][1:]
    elif how == 'fewer labels':
        arrays['test_y'] = arrays['test_y'][1:]
    elif how == 'other size':
        arrays['test_x'] = arrays['test_x'][:, :784]
    elif how == 'float images':
        arrays['train_x'] = arrays['train_x'] / 255
    elif how == 'float labels':
        arrays['train_y'] = arrays['train_y'] * numpy.nan
    elif how == 'text for labels':
        arrays['train_y'] = arrays['train_y'].astype(str)
    elif how == 'label too high':
        arrays['test_y'][-1] = spec.n_classes
    numpy.savez(path, **arrays)
    if how == 'header':
        # so numpy can not parse it, and the sum of the archive is right
        with open(path, 'rb') as f:
            content = f.read()
        with numpy.load(io.BytesIO(content)) as archive:
            info = archive.zip.infolist()[0]
            start = info.header_offset + 30
        at = content.index(b'}', start)
        with open(path, 'r+b') as f:
            f.seek(at)
            f.write(b'{')
    elif how == 'encrypted':
        with open(path, 'rb') as f:
            content = f.read()
        at = content.index(b'PK\1\2') + 8
        with open(path, 'r+b') as f:
            f.seek(at)
            f.write(bytes([content[at] | 1]))
    elif how == 'half of it':
        os.truncate(path, os.path.getsize(path) // 2)
    elif how == 'empty':
        os.truncate(path, 0)
    elif how == 'one array':
        with open(path, 'wb') as f:
            numpy.save(f, arrays['train_x'])
    elif how == 'web page':
        with open(path, 'wb') as f:
            f.write(b'<html>404</html>')
    elif how == 'pixel':
        with open(path, 'r+b') as f:
            f.seek(9000)
            f.write(b'\0')


@pytest.mark.parametrize('how', [
    'key missing', 'fewer images', 'fewer labels', 'other size',
    'float images', 'float labels', 'text for labels', 'label too high',
    'header', 'encrypted', 'half of it', 'empty', 'one array', 'web page',
    'pixel'])
@pytest.mark.parametrize('name', cifar_files.NAMES)
def test_damaged_cache_is_refused_by_name(small, name, how):
    spec = small[name].spec
    path = cifar_files.cache_of(spec)
    write_cache(path, spec, 'nothing')
    cifar.load_arrays(name, mirrors=())
    write_cache(path, spec, how)
    with pytest.raises(quantized_net.UserError, match='%s .*delete it' % (
            spec.cache)):
        cifar.load_arrays(name, mirrors=())
    assert os.path.exists(path)
