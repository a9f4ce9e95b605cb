"""Image files as they are met, by each of the decoders."""

import io
import os
import struct
import sys
import zlib

import numpy
import PIL.Image
import pytest

from quantized_net import errors
from quantized_net.datasets import image_files
from quantized_net.datasets import image_folders
import jpegs


@pytest.fixture(params=['OpenCV', 'Pillow'])
def decoder(request, monkeypatch):
    monkeypatch.setattr(image_files, '_decoder', None)
    if request.param == 'Pillow':
        monkeypatch.setitem(sys.modules, 'cv2', None)
    else:
        pytest.importorskip('cv2', reason='opencv-python-headless is not '
                            'installed: make setup EXTRAS=imagenet')
    assert image_files.decoder()[0].startswith(request.param)
    return request.param


def write(tmp_path, data, name='a.jpg'):
    path = tmp_path / name
    path.write_bytes(data)
    return str(path)


@pytest.mark.parametrize('kind', jpegs.GOOD)
def test_pixels_as_they_lie_in_the_file(tmp_path, decoder, kind):
    path = write(tmp_path, jpegs.encoded(kind, 37, 61))
    image = image_files.read(path)
    assert image.shape == (37, 61, 3) and image.dtype == numpy.uint8
    with PIL.Image.open(path) as expected:
        expected = numpy.asarray(expected.convert('RGB')).astype(int)
    # decoders differ in how they make colours of their sums
    tolerance = 40 if kind == 'cmyk' else 4
    assert abs(image - expected).mean() < tolerance


@pytest.mark.parametrize('kind', jpegs.BAD)
def test_what_is_no_whole_image_is_named(tmp_path, decoder, kind):
    path = write(tmp_path, jpegs.encoded(kind, 80, 90))
    with pytest.raises(image_files.CorruptImage) as raised:
        image_files.read(path)
    assert path in str(raised.value) and '\n' not in str(raised.value)


def test_a_file_that_is_not_there(tmp_path, decoder):
    with pytest.raises(image_files.CorruptImage, match='No such file'):
        image_files.read(str(tmp_path / 'none.jpg'))


def test_a_small_file_that_claims_a_large_image(tmp_path, decoder):
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack(
            '>I', zlib.crc32(kind + data))

    data = b'\x89PNG\r\n\x1a\n' + chunk(
        b'IHDR', struct.pack('>IIBBBBB', 60000, 60000, 8, 2, 0, 0, 0)
    ) + chunk(b'IDAT', zlib.compress(bytes(1000))) + chunk(b'IEND', b'')
    with pytest.raises(image_files.CorruptImage):
        image_files.read(write(tmp_path, data))


def test_bytes_at_random(tmp_path, decoder):
    """Each is an image or a CorruptImage, nothing else."""
    rng = numpy.random.RandomState(0)
    for kind in ('plain', 'png', 'progressive'):
        whole = bytearray(jpegs.encoded(kind, 30, 40))
        for _ in range(60):
            data = bytearray(whole)
            for place in rng.randint(0, len(data), 4):
                data[place] = rng.randint(0, 256)
            try:
                image = image_files.read(write(tmp_path, bytes(data)))
            except image_files.CorruptImage:
                continue
            assert image.ndim == 3 and image.shape[2] == 3


@pytest.mark.parametrize('size', [(20, 30), (50, 60), (30, 45)])
def test_resize(decoder, size):
    image = numpy.asarray(jpegs.picture(30, 45, 0))
    found = image_files.resize(image[1:, 2:], *size)
    assert found.shape == (*size, 3) and found.dtype == numpy.uint8
    assert abs(found.mean() - image[1:, 2:].mean()) < 3
    numpy.testing.assert_array_equal(
        image_files.mirror(image), image[:, ::-1])


def test_without_a_decoder(monkeypatch):
    monkeypatch.setattr(image_files, '_decoder', None)
    for name in ('cv2', 'PIL.Image'):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(errors.UserError, match='EXTRAS=imagenet'):
        image_files.decoder()


def test_folders(tmp_path):
    jpegs.make_folder(tmp_path, classes=2, n=3, val=1)
    (tmp_path / 'train' / 'n00' / 'notes.txt').write_text('x')
    found = image_folders.load(str(tmp_path))
    assert found.n_classes == 2 and found.name == '6 images of 2 classes'
    paths, labels = found.train
    assert len(paths) == 6 and labels.tolist() == [0] * 3 + [1] * 3
    assert labels.dtype == numpy.int32 and paths == sorted(paths)


def test_lists_as_chainer_has_them(tmp_path):
    (tmp_path / 'train.txt').write_text('a b.jpg 0\n\nc.jpg 2\n')
    (tmp_path / 'val.txt').write_text('c.jpg 1\n')
    found = image_folders.load(
        None, str(tmp_path / 'train.txt'), str(tmp_path / 'val.txt'), '/x')
    assert found.train[0] == ['/x/a b.jpg', '/x/c.jpg']
    assert found.train[1].tolist() == [0, 2] and found.n_classes == 3


@pytest.mark.parametrize('text,message', [
    ('', 'the list is empty'), ('a.jpg\n', 'line 1: a path'),
    ('a.jpg 1\nb.jpg x\n', 'line 2'), ('a.jpg -1', 'line 1'),
    ('a.jpg 99999999', 'line 1')])
def test_lists_that_are_none(tmp_path, text, message):
    path = tmp_path / 'list.txt'
    path.write_text(text)
    with pytest.raises(errors.UserError, match=message):
        image_files.from_list(str(path))


def test_a_list_of_bytes(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_bytes(b'\xff\xfe\x00 1\n')
    with pytest.raises(errors.UserError, match='can not be read'):
        image_files.from_list(str(path))


def test_what_does_not_belong_together(tmp_path):
    with pytest.raises(errors.UserError, match='name the images'):
        image_folders.load()
    with pytest.raises(errors.UserError, match='go together'):
        image_folders.load(None, 'x')
    with pytest.raises(errors.UserError, match='can not be read'):
        image_folders.load(str(tmp_path / 'none'))
    with pytest.raises(errors.UserError, match='train: there is no folder'):
        os.mkdir(tmp_path / 'train')
        image_folders.load(str(tmp_path))
    jpegs.make_folder(tmp_path / 'a', classes=2, n=1, val=1)
    os.rename(tmp_path / 'a' / 'val' / 'n01', tmp_path / 'a' / 'val' / 'x')
    with pytest.raises(errors.UserError, match='class n01 is not in both'):
        image_folders.load(str(tmp_path / 'a'))
    for name in os.listdir(tmp_path / 'a' / 'val' / 'x'):
        os.remove(tmp_path / 'a' / 'val' / 'x' / name)
    with pytest.raises(errors.UserError, match='no images in it'):
        image_folders.load(str(tmp_path / 'a'))
    for name, label in (('train.txt', 1), ('val.txt', 5)):
        (tmp_path / name).write_text('a.jpg %d\n' % label)
    with pytest.raises(errors.UserError, match='label 5 is not among the 2'):
        image_folders.load(None, str(tmp_path / 'train.txt'),
                           str(tmp_path / 'val.txt'))


def test_a_picture_is_what_it_says():
    with PIL.Image.open(io.BytesIO(jpegs.encoded('exif', 20, 30))) as image:
        assert image.size == (30, 20) and image.getexif()[0x0112] == 6
