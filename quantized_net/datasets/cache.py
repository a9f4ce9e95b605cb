"""Chainer's cache of data sets: its folder, and what is read and written."""

import contextlib

from chainer import dataset

from quantized_net import errors
from quantized_net import npz


def folder(name):
    """Returns a folder of the cache, which is made where it is not there.

    Raises:
        ~quantized_net.UserError: Where it can't be made.

    """
    with writing():
        return dataset.get_dataset_directory(name)


@contextlib.contextmanager
def writing():
    """Names the cache where its disk is full or it can't be written to."""
    try:
        yield
    except OSError as e:
        raise errors.UserError(
            'the cache %s can not be written (%s); make room there, or name '
            'another place with the variable CHAINER_DATASET_ROOT'
            % (dataset.get_dataset_root(), e.strerror or e))


def read(path, wanted):
    """Reads arrays of a file in the cache.

    Args:
        path (str): Of the file.
        wanted (dict): From the names of the arrays to their shapes; they
            are of uint8.

    Returns:
        dict: From the names to the arrays.

    Raises:
        ~quantized_net.UserError: Where it is damaged or of something else.

    """
    try:
        with npz.Archive(path, 1 << 30) as archive:
            return archive.read_as(
                {name: (shape, 'uint8') for name, shape in wanted.items()})
    except errors.UserError as e:
        raise errors.UserError(
            '%s; it is in the cache: delete it to have it downloaded again'
            % e)
