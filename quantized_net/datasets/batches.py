"""Batches of images as arrays, with augmentation."""

from chainer import dataset
from chainer import iterators
import numpy


class BatchIterator(iterators.SerialIterator):

    """Iterates over arrays of images and labels, a batch of arrays a time.

    A batch is a tuple of images (float32, shape (B, C, H, W), channels-last
    in memory) and labels (int32, shape (B,)), for
    :func:`to_device` as the converter.

    Args:
        images (numpy.ndarray): uint8, shape (N, C, H, W).
        labels (numpy.ndarray): int32, shape (N,).
        batch_size, repeat, shuffle: As in
            :class:`chainer.iterators.SerialIterator`.
        mean (numpy.ndarray or float): Subtracted from the pixels, which are
            then divided by ``scale``.
        scale (float): The divisor.
        pad (int): Zeros around an image before a random crop of its old
            size; 0 for none.
        flip (bool): Whether half of the images are mirrored, at random.
        rank, size (int): Which part of each batch to give, of how many: each
            rank draws the indices, crops and flips of the whole batch, and
            makes its own images alone.  The batch size is that of the whole.

    """

    def __init__(self, images, labels, batch_size, repeat=True, shuffle=None,
                 mean=0., scale=255., pad=0, flip=False, rank=0, size=1):
        super(BatchIterator, self).__init__(
            numpy.arange(len(images)), batch_size, repeat, shuffle)
        self._images = numpy.ascontiguousarray(images.transpose(0, 2, 3, 1))
        self._labels = labels
        mean = numpy.asarray(mean, numpy.float32)
        self._mean = mean.transpose(1, 2, 0) if mean.ndim == 3 else mean
        self._scale = numpy.float32(1 / scale)
        self._pad = pad
        self._flip = flip
        self._rank, self._size = rank, size

    def skip(self):
        """Goes on by a batch without making it."""
        return numpy.array(super(BatchIterator, self).__next__())

    def __next__(self):
        indices = self.skip()
        n, mine = len(indices), part(len(indices), self._rank, self._size)
        indices = indices[mine]
        images = self._images[indices]
        if self._pad:
            images = random_crop(images, self._pad, n, mine)
        if self._flip:
            flipped = (numpy.random.randint(0, 2, n) == 1)[mine]
            images[flipped] = images[flipped, :, ::-1]
        images = images - self._mean
        images *= self._scale
        return images.transpose(0, 3, 1, 2), self._labels[indices]

    next = __next__


class RankIterator(iterators.SerialIterator):

    """Chainer's, of the part of each batch that is one rank's.

    Its state is that of an iterator over the whole.

    Args:
        dataset, batch_size, repeat, shuffle: As in
            :class:`chainer.iterators.SerialIterator`.
        rank, size (int): Which part, of how many.

    """

    def __init__(self, dataset, batch_size, repeat=True, shuffle=None,
                 rank=0, size=1):
        super(RankIterator, self).__init__(
            dataset, batch_size, repeat, shuffle)
        self._rank, self._size = rank, size

    def __next__(self):
        batch = super(RankIterator, self).__next__()
        return batch[part(len(batch), self._rank, self._size)]

    next = __next__


def part(n, rank, size):
    """A rank's part of n examples (a slice)."""
    return slice(n * rank // size, n * (rank + 1) // size)


def random_crop(images, pad, n=None, mine=slice(None)):
    """Crops of the images' own size out of images with zeros around them.

    Args:
        images (numpy.ndarray): Shape (N, H, W, C).
        pad (int): Rows and columns of zeros at each side.
        n (int): How many crops to draw, where these images are only a part
            of them.
        mine (slice): Which part.

    Returns:
        numpy.ndarray: Shape (N, H, W, C).

    """
    top, left = numpy.random.randint(
        0, 2 * pad + 1, (2, len(images) if n is None else n))[:, mine]
    n, h, w, c = images.shape
    padded = numpy.zeros((n, h + 2 * pad, w + 2 * pad, c), images.dtype)
    padded[:, pad:pad + h, pad:pad + w] = images
    windows = numpy.lib.stride_tricks.sliding_window_view(
        padded, (h, w), axis=(1, 2))
    crops = windows[numpy.arange(n), top, left]
    return numpy.ascontiguousarray(crops.transpose(0, 2, 3, 1))


@dataset.converter()
def to_device(batch, device=None):
    """A converter for Chainer's updaters and evaluators."""
    if device is None:
        return batch
    return tuple(device.send(array) for array in batch)
