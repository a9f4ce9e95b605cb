"""Batches of images as arrays, with augmentation."""

import chainer
from chainer import dataset as chainer_dataset
from chainer import iterators
import numpy

from quantized_net.kernels import crops

# Of the free memory of a GPU, at most so much for a data set.
_SHARE_OF_MEMORY = .25


class BatchIterator(iterators.SerialIterator):

    """Iterates over arrays of images and labels, a batch of arrays a time.

    A batch is a tuple of images (float32, shape (B, C, H, W), channels-last
    in memory on the CPU) and labels (int32, shape (B,)), for
    :func:`to_device` as the converter.

    On a GPU the images stay in its memory, where they take no more than a
    quarter of what is free, and the batches are made there, of the same
    numbers: what is random is drawn on the host.

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
        device (~chainer.backend.Device or None): Where the batches are used.

    """

    def __init__(self, images, labels, batch_size, repeat=True, shuffle=None,
                 mean=0., scale=255., pad=0, flip=False, device=None):
        super(BatchIterator, self).__init__(
            numpy.arange(len(images)), batch_size, repeat, shuffle)
        self._device = device if fits(device, images) else None
        self._images = images
        self._labels = labels
        self._mean = numpy.asarray(mean, numpy.float32)
        self._scale = numpy.float32(1 / scale)
        self._pad = pad
        self._flip = flip
        self._arrays = None  # where the batches are made, from the first on

    def __next__(self):
        indices = numpy.array(super(BatchIterator, self).__next__())
        places = numpy.full((4, len(indices)), self._pad, numpy.int32)
        places[0] = indices
        if self._pad:
            places[1:3] = numpy.random.randint(
                0, 2 * self._pad + 1, (2, len(indices)))
        places[3] = numpy.random.randint(0, 2, len(indices)) if (
            self._flip) else 0
        if self._arrays is None:
            self._arrays = self._lay_out()
        images, labels, mean = self._arrays
        form = crops.reference
        if self._device is not None:
            form, places = crops.cuda_form, self._device.send(places)
        return form(images, labels, places, self._pad, mean, self._scale)

    next = __next__

    def _lay_out(self):
        """The images, labels and mean as the two forms have them."""
        images, mean = self._images, self._mean
        if self._device is None:
            return (
                numpy.ascontiguousarray(images.transpose(0, 2, 3, 1)),
                self._labels,
                mean.transpose(1, 2, 0) if mean.ndim == 3 else mean)
        return tuple([self._device.send(numpy.ascontiguousarray(a)) for a in (
            images, self._labels.astype(numpy.int32),
            numpy.broadcast_to(mean, images.shape[1:]))])


class _FlatIterator(BatchIterator):

    """Batches of images of another shape than (C, H, W), as they are."""

    def __init__(self, images, labels, batch_size, device, **options):
        self._shape = images.shape[1:]
        super(_FlatIterator, self).__init__(
            images.reshape(len(images), 1, 1, -1), labels, batch_size,
            scale=1., device=device, **options)

    def __next__(self):
        images, labels = super(_FlatIterator, self).__next__()
        return images.reshape((len(images),) + self._shape), labels

    next = __next__


def iterator(dataset, batch_size, device, **options):
    """An iterator over pairs of an image and a label, and its converter.

    Args:
        dataset (~chainer.datasets.TupleDataset): float32 images of any one
            shape, int32 labels.
        batch_size (int): As in :class:`chainer.iterators.SerialIterator`.
        device (~chainer.backend.Device): Where the batches are used; a GPU
            has the whole data set where it fits, as in
            :class:`BatchIterator`.
        options: ``repeat`` and ``shuffle``.

    Returns:
        tuple: The iterator, and what makes arrays of its batches.

    """
    if device.xp is not numpy:
        images, labels = chainer_dataset.concat_examples(dataset[:])
        if fits(device, images):
            return _FlatIterator(
                images, labels, batch_size, device, **options), to_device
    return iterators.SerialIterator(
        dataset, batch_size, **options), chainer_dataset.concat_examples


def fits(device, images):
    """Whether a data set is to stay on a device: a GPU with room for it."""
    if device is None or device.xp is numpy:
        return False
    with chainer.using_device(device):
        free, _ = device.xp.cuda.runtime.memGetInfo()
    return images.nbytes <= _SHARE_OF_MEMORY * free


@chainer_dataset.converter()
def to_device(batch, device=None):
    """A converter for Chainer's updaters and evaluators."""
    if device is None:
        return batch
    return tuple(device.send(array) for array in batch)
