"""npz files that are read without running code or filling the memory."""

import io
import os
import tracemalloc
import zipfile

import numpy
import pytest

import quantized_net
from quantized_net import npz

LIMIT = 1 << 20


class CreatesFile(object):

    """Creates a file where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), 'w')


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / 'file.npz')


def test_reads_what_numpy_writes(path):
    arrays = {
        'a/b': numpy.random.rand(3, 4).astype('f'),
        'fortran': numpy.asfortranarray(numpy.arange(6).reshape(2, 3)),
        'scalar': numpy.array(-7), 'empty': numpy.zeros((0, 2)),
        'text': numpy.array('two words'), 'flag': numpy.array(True),
        'large': numpy.arange(60000)}
    for save in (numpy.savez, numpy.savez_compressed):
        save(path, **arrays)
        with npz.Archive(path, LIMIT) as archive:
            assert set(archive.headers) == set(arrays)
            for name, array in arrays.items():
                found = archive.read(name)
                assert found.dtype == array.dtype
                numpy.testing.assert_array_equal(found, array)
                assert found.flags.writeable


def test_pickles_are_not_loaded(path, tmp_path):
    numpy.savez(path, a=numpy.array([CreatesFile(tmp_path / 'mark')], object))
    with npz.Archive(path, LIMIT) as archive:
        with pytest.raises(quantized_net.UserError, match='a is pickled'):
            archive.read('a')
    assert not (tmp_path / 'mark').exists()


def write_member(path, content):
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('a.npy', content)


def npy(array):
    f = io.BytesIO()
    numpy.save(f, array)
    return f.getvalue()


def refuses(path, name='a'):
    with pytest.raises(quantized_net.UserError, match='file.npz') as e:
        with npz.Archive(path, LIMIT) as archive:
            archive.read(name)
    assert '\n' not in str(e.value)


@pytest.mark.parametrize('content', [
    b'', b'no array', npy(numpy.arange(9))[:-1], npy(numpy.arange(9)) + b'1',
    npy(numpy.arange(9)).replace(b'(9,)', b'(-9,)'),
    npy(numpy.arange(9)).replace(b"'descr'", b"'other'"),
    npy(numpy.arange(9)).replace(b'{', b'('),
    npy(numpy.arange(9)).replace(b'(9,)', b'(99999999999,)'),
    b'\x93NUMPY\2\0\xff\xff\xff\xff' + bytes(99)])
def test_malformed_arrays(path, content):
    write_member(path, content)
    refuses(path)


@pytest.mark.parametrize('field,value', [
    (8, 1), (10, 99), (10, 12)])  # encrypted; ways to pack
def test_fields_of_the_directory(path, field, value):
    write_member(path, npy(numpy.arange(9)))
    with open(path, 'r+b') as f:
        content = f.read()
        f.seek(content.index(b'PK\1\2') + field)
        f.write(bytes([value]))
    refuses(path)


@pytest.mark.parametrize('content', [b'', b'PK\3\4', b'<html>404</html>'])
def test_no_zip(path, content):
    with open(path, 'wb') as f:
        f.write(content)
    refuses(path)


def test_missing_file(path):
    refuses(path)


def test_memory_is_bounded(path):
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        with archive.open('a.npy', 'w', force_zip64=True) as f:
            f.write(npy(numpy.zeros(1 << 26, numpy.uint8))[:128])
            for _ in range(64):
                f.write(bytes(1 << 20))
    tracemalloc.start()
    refuses(path)
    os.truncate(path, 1 << 34)  # sparse, and no zip any more
    refuses(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


def test_directory_is_bounded(path):
    with open(path, 'wb') as f:
        f.truncate(1 << 30)
        f.seek(0, os.SEEK_END)
        f.write(b'PK\5\6' + bytes(4) + b'\1\0\1\0'
                + (1 << 29).to_bytes(4, 'little')
                + (1 << 29).to_bytes(4, 'little') + bytes(2))
    tracemalloc.start()
    refuses(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


def test_read_as(path):
    numpy.savez(path, a=numpy.zeros((2, 3), 'f'))
    with npz.Archive(path, LIMIT) as archive:
        assert set(archive.read_as({'a': ((2, 3), 'f')})) == {'a'}
        for wanted in ({'a': ((3, 2), 'f')}, {'a': ((2, 3), 'd')},
                       {'b': ((2, 3), 'f')}):
            with pytest.raises(quantized_net.UserError,
                               match='file.npz holds something else'):
                archive.read_as(wanted)
