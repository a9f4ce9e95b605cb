"""MNIST, from its original files, Chainer's cache, or a mirror."""

import collections
import gzip
import hashlib
import math
import os
import zlib

from chainer import dataset
from chainer import datasets
import numpy

from quantized_net import errors
from quantized_net import files
from quantized_net.datasets import cache
from quantized_net.datasets import download

# An original file: the MD5 of the published .gz and of what is in it, the
# magic number, the dimensions.
File = collections.namedtuple('File', 'name gz_md5 md5 magic shape')

FILES = {
    ('train', 'images'): File(
        'train-images-idx3-ubyte', 'f68b3c2dcbeaaa9fbdd348bbdeb94873',
        '6bbc9ace898e44ae57da46a324031adb', 2051, (60000, 28, 28)),
    ('train', 'labels'): File(
        'train-labels-idx1-ubyte', 'd53e105ee54ea40749a09fcbcd1e9432',
        'a25bea736e30d166cdddb491f175f624', 2049, (60000,)),
    ('test', 'images'): File(
        't10k-images-idx3-ubyte', '9fb629c4189551a2d022fa330f9573f3',
        '2646ac647ad5339dbf082846283269ea', 2051, (10000, 28, 28)),
    ('test', 'labels'): File(
        't10k-labels-idx1-ubyte', 'ec29112dd5afa0611ce80d1b7f02629c',
        '27ae3e4e09519cfbb04c329615203637', 2049, (10000,)),
}

MIRRORS = (
    'https://ossci-datasets.s3.amazonaws.com/mnist/',
    'https://storage.googleapis.com/cvdf-datasets/mnist/',
    'https://systemds.apache.org/assets/datasets/mnist/',
)

_CACHE = 'pfnet/chainer/mnist'


def get_mnist(data_dir=None, ndim=1, mirrors=MIRRORS, timeout=30):
    """Returns MNIST, like :func:`chainer.datasets.get_mnist`.

    The files are looked for in ``data_dir``, then in Chainer's cache
    (``$CHAINER_DATASET_ROOT``, ``~/.chainer/dataset``), then downloaded into
    that cache, where Chainer finds them too.  Their contents are compared
    with the published checksums.

    Args:
        data_dir (str or None): Folder with the four original files, packed
            (``.gz``) or not; nothing else is then looked at.
        ndim (int): 1 for images of shape (784,), 3 for (1, 28, 28).
        mirrors (sequence of str): Addresses to download from.
        timeout (float): Seconds to wait for a mirror to answer.

    Returns:
        tuple: Training and test set, each a
        :class:`~chainer.datasets.TupleDataset` of float32 images in [0, 1]
        and int32 labels.

    Raises:
        ~quantized_net.UserError: Where a file is missing, damaged or of
            something else, by name.

    """
    return tuple(
        datasets.TupleDataset(_scale(images, ndim), labels.astype('i'))
        for images, labels in _load(data_dir, mirrors, timeout))


def _scale(images, ndim):
    shape = (-1, 784) if ndim == 1 else (-1, 1, 28, 28)
    images = images.reshape(shape).astype(numpy.float32)
    images *= numpy.float32(1 / 255.)
    return images


def _load(data_dir, mirrors, timeout):
    if data_dir is not None:
        folder = _find_folder(data_dir)
        return [[_read(_find(folder, FILES[part, kind]), FILES[part, kind])
                 for kind in ('images', 'labels')]
                for part in ('train', 'test')]
    root = cache.folder(_CACHE)
    parts = []
    for part in ('train', 'test'):
        path = os.path.join(root, '%s.npz' % part)
        if not os.path.exists(path):
            with cache.writing():
                _fill_cache(path, part, mirrors, timeout)
        parts.append(_read_cache(path, part))
    return parts


def _find_folder(data_dir):
    if not os.path.isdir(data_dir):
        raise errors.UserError('data_dir %s: no such folder' % data_dir)
    for sub in ('', 'mnist', os.path.join('MNIST', 'raw')):
        folder = os.path.join(data_dir, sub)
        if any(_find(folder, f) for f in FILES.values()):
            missing = [f.name for f in FILES.values()
                       if not _find(folder, f)]
            if missing:
                raise errors.UserError(
                    'folder %s lacks %s of MNIST (with or without .gz)'
                    % (folder, ', '.join(missing)))
            return folder
    raise errors.UserError(
        'folder %s has none of the files of MNIST: %s (with or without .gz)'
        % (data_dir, ', '.join(f.name for f in FILES.values())))


def _find(folder, spec):
    # some copies have a dot in the name: train-images.idx3-ubyte
    for name in (spec.name, spec.name.replace('-idx', '.idx')):
        for ending in ('.gz', ''):
            path = os.path.join(folder, name + ending)
            if os.path.isfile(path):
                return path
    return None


def _read(path, spec):
    """Reads and checks an original file, packed or not."""
    header = 4 * (1 + len(spec.shape))
    size = header + math.prod(spec.shape)
    try:
        with (gzip.open if path.endswith('.gz') else open)(path, 'rb') as f:
            content = f.read(size + 1)
    except (OSError, EOFError, zlib.error) as e:
        raise errors.UserError(
            '%s can not be read (%s): it is truncated or no gzip file; get '
            'it again' % (path, e))
    expected = numpy.array((spec.magic,) + spec.shape, '>i4').tobytes()
    if content[:header] != expected:
        raise errors.UserError(
            '%s is not %s of MNIST: its header is not magic number %d and '
            'dimensions %s' % (path, spec.name, spec.magic, spec.shape))
    if len(content) != size:
        raise errors.UserError(
            '%s has not %d bytes unpacked: it is truncated or damaged; get '
            'it again' % (path, size))
    md5 = hashlib.md5(content).hexdigest()
    if md5 != spec.md5:
        raise errors.UserError(
            '%s is damaged or of another data set: the MD5 of its content is '
            '%s, that of MNIST is %s' % (path, md5, spec.md5))
    return numpy.frombuffer(content, numpy.uint8, offset=header).reshape(
        spec.shape)


def _read_cache(path, part):
    """Reads and checks a file of Chainer's cache."""
    n = FILES[part, 'labels'].shape[0]
    found = cache.read(path, {'x': (n, 784), 'y': (n,)})
    for name, kind in (('x', 'images'), ('y', 'labels')):
        spec = FILES[part, kind]
        header = numpy.array((spec.magic,) + spec.shape, '>i4').tobytes()
        content = hashlib.md5(
            header + found[name].tobytes()).hexdigest()
        if content != spec.md5:
            raise errors.UserError(
                '%s in the cache does not hold the %s of MNIST; delete it to '
                'have it downloaded again' % (path, kind))
    return found['x'].reshape(-1, 28, 28), found['y']


def _fill_cache(path, part, mirrors, timeout):
    arrays = []
    for kind in ('images', 'labels'):
        spec = FILES[part, kind]
        packed = os.path.join(os.path.dirname(path), spec.name + '.gz')
        download.fetch(
            [mirror + spec.name + '.gz' for mirror in mirrors], packed,
            spec.gz_md5, timeout)
        arrays.append(_read(packed, spec))
    with files.replacing(path) as temporary:
        with open(temporary, 'wb') as f:
            # as Chainer writes it
            numpy.savez_compressed(
                f, x=arrays[0].reshape(-1, 784), y=arrays[1])
    for kind in ('images', 'labels'):
        os.remove(os.path.join(
            os.path.dirname(path), FILES[part, kind].name + '.gz'))


def is_cached():
    """Whether both parts are in Chainer's cache."""
    root = dataset.get_dataset_directory(_CACHE, create_directory=False)
    return all(os.path.exists(os.path.join(root, part + '.npz'))
               for part in ('train', 'test'))
