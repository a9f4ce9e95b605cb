"""CIFAR-10 and CIFAR-100, from their files, Chainer's cache, or a mirror."""

import collections
import hashlib
import os
import pickle

from chainer import dataset
from chainer import datasets
import numpy

from quantized_net import errors
from quantized_net import files
from quantized_net.datasets import archives
from quantized_net.datasets import cache
from quantized_net.datasets import download

# The published files of a data set: name of the archive and its MD5, the
# folder in it, the files for each part, the key of the
# labels.  Of a file: its name, its MD5, the number of its images.
Spec = collections.namedtuple(
    'Spec', 'title archive archive_md5 folder files labels cache n_classes')

SPECS = {
    'cifar10': Spec(
        'CIFAR-10', 'cifar-10-python.tar.gz',
        'c58f30108f718f92721af3b95e74349a', 'cifar-10-batches-py', {
            'train': (
                ('data_batch_1', 'c99cafc152244af753f735de768cd75f', 10000),
                ('data_batch_2', 'd4bba439e000b95fd0a9bffe97cbabec', 10000),
                ('data_batch_3', '54ebc095f3ab1f0389bbae665268c751', 10000),
                ('data_batch_4', '634d18415352ddfa80567beed471001a', 10000),
                ('data_batch_5', '482c414d41f54cd18b22e5b47cb7c3cb', 10000)),
            'test': (
                ('test_batch', '40351d587109b95175f43aff81a1287e', 10000),),
        }, 'labels', 'cifar-10.npz', 10),
    'cifar100': Spec(
        'CIFAR-100', 'cifar-100-python.tar.gz',
        'eb9058c3a382ffc7106e4002c42a8d85', 'cifar-100-python', {
            'train': (('train', '16019d7e3df5f24257cddd939b257f8d', 50000),),
            'test': (('test', 'f0ef6b0ae62326f3e7ffdfab6717acfc', 10000),),
        }, 'fine_labels', 'cifar-100.npz', 100),
}

MIRRORS = ('https://www.cs.toronto.edu/~kriz/',)

# Bytes of a file for each of its images: the image, its labels, its name.
_IMAGE_LIMIT = 4096

_CACHE = 'pfnet/chainer/cifar'


def get_cifar10(data_dir=None, ndim=3, mirrors=MIRRORS):
    """Returns CIFAR-10, like :func:`chainer.datasets.get_cifar10`.

    Args:
        data_dir (str or None): See :func:`load_arrays`.
        ndim (int): 1 for images of shape (3072,), 3 for (3, 32, 32).
        mirrors (sequence of str): Addresses to download from.

    Returns:
        tuple: Training and test set, each a
        :class:`~chainer.datasets.TupleDataset` of float32 images in [0, 1]
        and int32 labels.

    Raises:
        ~quantized_net.UserError: Where a file is missing, damaged or of
            something else, by name.

    """
    return _as_chainer('cifar10', data_dir, ndim, mirrors)


def get_cifar100(data_dir=None, ndim=3, mirrors=MIRRORS):
    """Returns CIFAR-100 with its fine labels, like :func:`get_cifar10`."""
    return _as_chainer('cifar100', data_dir, ndim, mirrors)


def _as_chainer(name, data_dir, ndim, mirrors):
    shape = (-1, 3072) if ndim == 1 else (-1, 3, 32, 32)
    return tuple(
        datasets.TupleDataset(
            (images * numpy.float32(1 / 255.)).reshape(shape), labels)
        for images, labels in load_arrays(name, data_dir, mirrors))


def load_arrays(name, data_dir=None, mirrors=MIRRORS):
    """Returns the images and labels as they are in the files.

    The files are looked for in ``data_dir``, then in Chainer's cache
    (``$CHAINER_DATASET_ROOT``, ``~/.chainer/dataset``), then downloaded into
    that cache, where Chainer finds them too.  Their contents are compared
    with the published checksums before they are unpickled.

    Args:
        name (str): ``'cifar10'`` or ``'cifar100'``.
        data_dir (str or None): Folder with the archive, or with the unpacked
            folder or its files; nothing else is then looked at.
        mirrors (sequence of str): Addresses to download from.

    Returns:
        tuple: For training and test, the images (uint8, shape
        (N, 3, 32, 32)) and labels (int32, shape (N,)).

    Raises:
        ~quantized_net.UserError: Where a file is missing, damaged or of
            something else, by name.

    """
    spec = SPECS[name]
    if data_dir is not None:
        arrays = _read_parts(spec, _find(spec, data_dir))
    else:
        root = cache.folder(_CACHE)
        path = os.path.join(root, spec.cache)
        if not os.path.exists(path):
            with cache.writing():
                _fill_cache(spec, path, mirrors)
        arrays = _read_cache(spec, path)
    return tuple(
        (images.reshape(-1, 3, 32, 32), labels.astype(numpy.int32))
        for images, labels in arrays)


def is_cached(name):
    """Whether the data set is in Chainer's cache."""
    root = dataset.get_dataset_directory(_CACHE, create_directory=False)
    return os.path.exists(os.path.join(root, SPECS[name].cache))


def _find(spec, data_dir):
    """The folder with the files, or the archive."""
    if not os.path.isdir(data_dir):
        raise errors.UserError('data_dir %s: no such folder' % data_dir)
    names = [name for part in spec.files.values() for name, _, _ in part]
    folders = (data_dir, os.path.join(data_dir, spec.folder))
    missing = [[n for n in names if not os.path.isfile(os.path.join(f, n))]
               for f in folders]
    for folder, lacking in zip(folders, missing):
        if not lacking:
            return folder
    archive = os.path.join(data_dir, spec.archive)
    if os.path.isfile(archive):
        return archive
    for folder, lacking in zip(folders, missing):
        if len(lacking) < len(names):
            raise errors.UserError('folder %s lacks %s of %s; unpack %s anew'
                                   % (folder, ', '.join(lacking), spec.title,
                                      spec.archive))
    raise errors.UserError(
        'folder %s has neither %s nor the files of %s: %s' % (
            data_dir, spec.archive, spec.title, ', '.join(names)))


def _read_parts(spec, source):
    """Reads and checks the files, from a folder or an archive."""
    limits = {name: n * _IMAGE_LIMIT
              for part in spec.files.values() for name, _, n in part}
    if os.path.isdir(source):
        return [_read_part(spec, part, lambda name: (
            os.path.join(source, name),
            _content(os.path.join(source, name), limits[name])))
            for part in ('train', 'test')]
    try:
        contents = archives.read(source, {
            '%s/%s' % (spec.folder, name): limit
            for name, limit in limits.items()})
    except MemoryError:
        raise
    except Exception as e:  # gzip and tarfile raise all kinds of them
        raise errors.UserError(
            '%s can not be read (%s): it is truncated or not the archive of '
            '%s; get it again' % (source, e, spec.title))
    return [_read_part(spec, part, lambda name: (
        '%s/%s in %s' % (spec.folder, name, source),
        contents['%s/%s' % (spec.folder, name)]))
        for part in ('train', 'test')]


def _content(path, limit):
    try:
        with open(path, 'rb') as f:
            return f.read(limit + 1)
    except OSError as e:
        raise errors.UserError(
            '%s can not be read (%s)' % (path, e.strerror))


def _read_part(spec, part, read):
    images, labels = [], []
    for name, md5, n in spec.files[part]:
        where, content = read(name)
        found = hashlib.md5(content).hexdigest()
        if found != md5:
            raise errors.UserError(
                '%s is truncated, damaged or of another data set: its MD5 is '
                '%s, that of %s is %s; get it again' % (
                    where, found, spec.title, md5))
        # known to be the published file, so it runs no strange code
        batch = pickle.loads(content, encoding='latin-1')
        images.append(numpy.asarray(batch['data'], numpy.uint8))
        labels.append(numpy.asarray(batch[spec.labels], numpy.uint8))
        assert images[-1].shape == (n, 3072) and labels[-1].shape == (n,)
    return numpy.concatenate(images), numpy.concatenate(labels)


def _read_cache(spec, path):
    """Reads and checks the file of Chainer's cache."""
    n = {part: sum(size for _, _, size in spec.files[part])
         for part in ('train', 'test')}
    found = cache.read(path, {
        name: shape for part in n
        for name, shape in ((part + '_x', (n[part], 3072)),
                            (part + '_y', (n[part],)))})
    for part in n:
        if found[part + '_y'].max(initial=0) >= spec.n_classes:
            raise errors.UserError(
                '%s in the cache does not hold %s; delete it to have it '
                'downloaded again' % (path, spec.title))
    return [(found[part + '_x'], found[part + '_y']) for part in n]


def _fill_cache(spec, path, mirrors):
    archive = os.path.join(os.path.dirname(path), spec.archive)
    download.fetch([mirror + spec.archive for mirror in mirrors], archive,
                   spec.archive_md5)
    (train_x, train_y), (test_x, test_y) = _read_parts(spec, archive)
    with files.replacing(path) as temporary:
        with open(temporary, 'wb') as f:
            # as Chainer writes it
            numpy.savez_compressed(
                f, train_x=train_x, train_y=train_y, test_x=test_x,
                test_y=test_y)
    os.remove(archive)
