"""CIFAR out of its archive, and what is wrong with it."""

import os
import pickle
import tarfile

import numpy
import pytest

import quantized_net
from quantized_net.datasets import archives
from quantized_net.datasets import cifar

import cifar_files


def test_archive_beside_a_half_unpacked_folder(tmp_path, small10):
    folder = small10.lay_out(tmp_path / 'data', 'archive')
    half = tmp_path / 'data' / small10.spec.folder
    half.mkdir()
    (half / 'data_batch_1').write_bytes(b'')
    cifar_files.check_arrays(cifar.load_arrays('cifar10', folder), small10)


@pytest.mark.parametrize('how', ['empty', 'truncated', 'web page'])
@pytest.mark.parametrize('name', cifar_files.NAMES)
def test_damaged_archive(tmp_path, small, name, how):
    s = small[name]
    folder = s.lay_out(tmp_path / 'data', 'archive')
    bad = tmp_path / 'data' / s.spec.archive
    bad.write_bytes(cifar_files.damaged(s.archive, how))
    with pytest.raises(quantized_net.UserError, match='%s .*get it again' % (
            s.spec.archive)):
        cifar.load_arrays(name, folder)


@pytest.mark.parametrize('position', [.1, .3, .5, .7, .9])
def test_archive_with_a_changed_byte(tmp_path, small10, position):
    folder = small10.lay_out(tmp_path / 'data', 'archive')
    content = bytearray(small10.archive)
    content[int(position * len(content))] ^= 0x55
    (tmp_path / 'data' / small10.spec.archive).write_bytes(content)
    with pytest.raises(
            quantized_net.UserError, match='cifar-10-python.*get it again'):
        cifar.load_arrays('cifar10', folder)


def test_archive_that_is_no_gzip(tmp_path, small10):
    folder = small10.lay_out(tmp_path / 'data', 'archive')
    with tarfile.open(os.path.join(folder, small10.spec.archive), 'w'):
        pass
    with pytest.raises(quantized_net.UserError, match='cifar-10-python'):
        cifar.load_arrays('cifar10', folder)


@pytest.mark.parametrize('file', ['data_batch_1', 'test_batch'])
def test_archive_without_a_member(tmp_path, small10, file):
    folder = small10.lay_out(tmp_path / 'data', 'archive')
    bad = tmp_path / 'data' / small10.spec.archive
    contents = dict(small10.contents)
    del contents[file]
    bad.write_bytes(cifar_files.pack(small10.spec, contents))
    with pytest.raises(
            quantized_net.UserError,
            match='cifar-10-python.tar.gz .*%s.*get it again' % file):
        cifar.load_arrays('cifar10', folder)


@pytest.mark.parametrize('how', cifar_files.DAMAGES)
def test_archive_with_a_damaged_member(tmp_path, small10, how):
    folder = small10.lay_out(tmp_path / 'data', 'archive')
    bad = tmp_path / 'data' / small10.spec.archive
    bad.write_bytes(cifar_files.pack(small10.spec, dict(
        small10.contents,
        data_batch_2=cifar_files.damaged(
            small10.contents['data_batch_2'], how))))
    with pytest.raises(
            quantized_net.UserError,
            match='data_batch_2 in .*cifar-10-python.*get it again'):
        cifar.load_arrays('cifar10', folder)


def test_archive_with_a_folder_for_a_member(tmp_path, small10):
    folder = small10.lay_out(tmp_path / 'data', 'archive')
    with tarfile.open(
            os.path.join(folder, small10.spec.archive), 'w:gz') as archive:
        info = tarfile.TarInfo(small10.spec.folder + '/data_batch_1')
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
    with pytest.raises(
            quantized_net.UserError, match='data_batch_1 is no plain file'):
        cifar.load_arrays('cifar10', folder)


@pytest.mark.parametrize('how', ['files', 'archive', 'cache'])
def test_strange_pickle_is_never_loaded(tmp_path, small10, how):
    mark = tmp_path / 'mark'
    evil = pickle.dumps({'data': cifar_files.CreatesFile(mark), 'labels': []})
    pickle.loads(evil)['data'].close()
    assert mark.exists()  # it is one that would
    mark.unlink()
    folder = None
    if how == 'files':
        folder = small10.lay_out(tmp_path / 'data')
        (tmp_path / 'data' / 'data_batch_1').write_bytes(evil)
    elif how == 'archive':
        folder = small10.lay_out(tmp_path / 'data', 'archive')
        (tmp_path / 'data' / small10.spec.archive).write_bytes(
            cifar_files.pack(
                small10.spec, dict(small10.contents, data_batch_1=evil)))
    else:
        strange = numpy.array([cifar_files.CreatesFile(mark)], object)
        numpy.savez(
            cifar_files.cache_of(small10.spec), train_x=strange,
            train_y=strange, test_x=strange, test_y=strange)
    with pytest.raises(quantized_net.UserError):
        cifar.load_arrays('cifar10', folder, ())
    assert not mark.exists()


@pytest.mark.parametrize('kind', [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_archive_with_links_in_a_circle(tmp_path, small10, kind):
    folder = small10.lay_out(tmp_path / 'data', 'archive')
    with tarfile.open(
            os.path.join(folder, small10.spec.archive), 'w:gz') as archive:
        for name, other in (('data_batch_1', 'data_batch_2'),
                            ('data_batch_2', 'data_batch_1')):
            info = tarfile.TarInfo('%s/%s' % (small10.spec.folder, name))
            info.type = kind
            info.linkname = (other if kind == tarfile.SYMTYPE else
                             '%s/%s' % (small10.spec.folder, other))
            archive.addfile(info)
    with pytest.raises(
            quantized_net.UserError, match='data_batch_1 is no plain file'):
        cifar.load_arrays('cifar10', folder)


@pytest.mark.parametrize('name', ['data_batch_1', 'another file'])
def test_archive_with_a_bomb(tmp_path, small10, name, monkeypatch):
    monkeypatch.setattr(archives, '_OTHERS', 1 << 16)
    folder = small10.lay_out(tmp_path / 'data', 'archive')
    (tmp_path / 'data' / small10.spec.archive).write_bytes(cifar_files.pack(
        small10.spec, {**small10.contents, name: bytes(1 << 20)}))
    with pytest.raises(quantized_net.UserError, match='more|right size'):
        cifar.load_arrays('cifar10', folder)
