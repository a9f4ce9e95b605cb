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

    """

    def __init__(self, images, labels, batch_size, repeat=True, shuffle=None,
                 mean=0., scale=255., pad=0, flip=False):
        super(BatchIterator, self).__init__(
            numpy.arange(len(images)), batch_size, repeat, shuffle)
        self._images = numpy.ascontiguousarray(images.transpose(0, 2, 3, 1))
        self._labels = labels
        mean = numpy.asarray(mean, numpy.float32)
        self._mean = mean.transpose(1, 2, 0) if mean.ndim == 3 else mean
        self._scale = numpy.float32(1 / scale)
        self._pad = pad
        self._flip = flip

    def __next__(self):
        indices = numpy.array(super(BatchIterator, self).__next__())
        images = self._images[indices]
        if self._pad:
            images = random_crop(images, self._pad)
        if self._flip:
            flipped = numpy.random.randint(0, 2, len(images)) == 1
            images[flipped] = images[flipped, :, ::-1]
        images = images - self._mean
        images *= self._scale
        return images.transpose(0, 3, 1, 2), self._labels[indices]

    next = __next__


def random_crop(images, pad):
    """Crops of the images' own size out of images with zeros around them.

    Args:
        images (numpy.ndarray): Shape (N, H, W, C).
        pad (int): Rows and columns of zeros at each side.

    Returns:
        numpy.ndarray: Shape (N, H, W, C).

    """
    n, h, w, c = images.shape
    padded = numpy.zeros((n, h + 2 * pad, w + 2 * pad, c), images.dtype)
    padded[:, pad:pad + h, pad:pad + w] = images
    windows = numpy.lib.stride_tricks.sliding_window_view(
        padded, (h, w), axis=(1, 2))
    top, left = numpy.random.randint(0, 2 * pad + 1, (2, n))
    crops = windows[numpy.arange(n), top, left]
    return numpy.ascontiguousarray(crops.transpose(0, 2, 3, 1))


@dataset.converter()
def to_device(batch, device=None):
    """A converter for Chainer's updaters and evaluators."""
    if device is None:
        return batch
    return tuple(device.send(array) for array in batch)
