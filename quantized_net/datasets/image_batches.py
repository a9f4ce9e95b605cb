"""Batches of image files, decoded and augmented in threads."""

import collections
from concurrent import futures
import math
import os
import sys

from chainer import dataset
import numpy

from quantized_net import errors
from quantized_net.datasets import batches
from quantized_net.datasets import image_files

# Of ImageNet's training images, red, green, blue, of 255.
MEAN = numpy.array([123.675, 116.28, 103.53], numpy.float32)
STD = numpy.array([58.395, 57.12, 57.375], numpy.float32)

AUGMENTATIONS = ('resized', 'crop', 'centre')


class ImageIterator(dataset.Iterator):

    """Iterates over image files, a batch of arrays a time, read ahead.

    A batch is a tuple of images (float32, shape (B, 3, size, size),
    channels-last in memory, of mean 0 and variance 1 over ImageNet) and
    labels (int32), for :func:`~quantized_net.datasets.to_device`.

    The order and the crops are functions of the seed and of how many batches
    there were before, and of nothing else: that number is the whole state,
    reading ahead changes nothing, and all ranks draw the same.

    Args:
        paths (list of str): Of the images.
        labels (numpy.ndarray): int32, shape (N,).
        batch_size (int): Of all ranks together.
        repeat (bool): Whether it goes on for ever, shuffled; else it goes
            once through the images in their order.
        augmentation (str): ``'resized'``: a random part of 8 to 100 % of the
            area, of a ratio of 3:4 to 4:3, mirrored or not; ``'crop'``: a
            random place in the image whose shorter side is ``shorter``,
            mirrored or not; ``'centre'``: the middle of that.
        size (int): Height and width of what is given.
        shorter (int): Length of the shorter side before a crop.
        seed (int): Of the order and the crops.
        skip_corrupt (bool): Whether an image that can't be read is named on
            the standard error and left out (in training the next one takes
            its place), instead of ending the run.
        threads (int): That decode.
        ahead (int): Batches that are read ahead.
        rank, ranks (int): Which part of each batch to give, of how
            many.

    """

    def __init__(self, paths, labels, batch_size, repeat=True,
                 augmentation='resized', size=224, shorter=256, seed=0,
                 skip_corrupt=False, threads=1, ahead=2, rank=0, ranks=1):
        if augmentation not in AUGMENTATIONS:
            raise ValueError('unknown augmentation %r' % (augmentation,))
        self.paths = paths
        self._labels = labels
        self.batch_size = batch_size
        self._repeat = repeat
        self._augmentation = augmentation
        self._size = size
        self._shorter = shorter
        self._mean = numpy.tile(MEAN, size)
        self._scale = numpy.tile(1 / STD, size)
        self._seed = seed
        self._skip_corrupt = skip_corrupt
        self._ahead = ahead
        self._rank, self._ranks = rank, ranks
        self._named = set()  # type: set[str]
        self._order = -1, numpy.arange(len(paths))  # of which epoch
        self._pool = futures.ThreadPoolExecutor(max(threads, 1))
        self._queue = collections.deque()  # type: collections.deque
        self._done = 0
        self.is_new_epoch = False
        self._previous_detail = -1.

    def skip(self):
        """Goes on by a batch without making it."""
        if self._is_at_end(self._done):
            raise StopIteration
        if self._queue:
            for job in self._queue.popleft()[2]:
                job.cancel()
        self._count()

    def __next__(self):
        if self._is_at_end(self._done):
            raise StopIteration
        while len(self._queue) <= self._ahead and not self._is_at_end(
                self._done + len(self._queue)):
            self._queue.append(self._start(self._done + len(self._queue)))
        images, labels, jobs = self._queue.popleft()
        self._count()
        good = [job.result() for job in jobs]
        if not all(good):
            images, labels = images[good], labels[good]
            if not len(labels):
                raise errors.UserError(
                    'no image of a batch could be read; the last is %s'
                    % sorted(self._named)[-1])
        return images.transpose(0, 3, 1, 2), labels

    next = __next__

    def _is_at_end(self, done):
        return not self._repeat and done * self.batch_size >= len(self.paths)

    def _count(self):
        n = len(self.paths)
        self._previous_detail = self.epoch_detail
        before = self.epoch
        self._done += 1
        self.is_new_epoch = self.epoch > before or (
            not self._repeat and self._done * self.batch_size >= n)

    def _start(self, i):
        """Begins to make the batch i: arrays, and the jobs that fill them."""
        n = len(self.paths)
        begin = i * self.batch_size
        end = begin + self.batch_size
        if not self._repeat:
            end = min(end, n)
        places = numpy.arange(begin, end)
        drawn = numpy.random.RandomState(
            [self._seed, 1, i]).random_sample((len(places), 5))
        mine = batches.part(len(places), self._rank, self._ranks)
        indices = [self._index(place) for place in places[mine]]
        images = numpy.empty(
            (len(indices), self._size, self._size, 3), numpy.float32)
        labels = self._labels[indices]
        jobs = [self._pool.submit(
            self._make, images, labels, k, index, numbers)
            for k, (index, numbers) in enumerate(zip(indices, drawn[mine]))]
        return images, labels, jobs

    def _index(self, place):
        epoch, place = divmod(int(place), len(self.paths))
        if not self._repeat:
            return place
        if self._order[0] != epoch:
            self._order = epoch, numpy.random.RandomState(
                [self._seed, 0, epoch]).permutation(len(self.paths))
        return self._order[1][place]

    def _make(self, images, labels, k, index, numbers):
        """Makes one image; whether there is one."""
        for _ in range(len(self.paths) if self._repeat else 1):
            try:
                image = image_files.read(self.paths[index])
            except image_files.CorruptImage as e:
                if not self._skip_corrupt:
                    raise errors.UserError(
                        'image %s; remove it, or leave such images out with '
                        '--corrupt skip' % e)
                self._name(self.paths[index], e)
                index = (index + 1) % len(self.paths)
                continue
            pixels = _augment(image, self._augmentation, self._size,
                              self._shorter, numbers)
            # in rows: an inner loop over three colours is slow
            rows = images[k].reshape(self._size, -1)
            numpy.subtract(pixels.reshape(self._size, -1), self._mean,
                           out=rows)
            rows *= self._scale
            labels[k] = self._labels[index]
            return True
        return False

    def _name(self, path, error):
        if path not in self._named:
            self._named.add(path)
            # of any rank
            stream = sys.__stderr__ or sys.stderr
            stream.write('warning: left out: image %s\n' % error)

    @property
    def epoch(self):
        return self._done * self.batch_size // len(self.paths)

    @property
    def epoch_detail(self):
        return self._detail(self._done)

    def _detail(self, done):
        # as SerialIterator rounds it
        epoch, place = divmod(done * self.batch_size, len(self.paths))
        return epoch + place / len(self.paths)

    @property
    def previous_epoch_detail(self):
        return self._previous_detail if self._previous_detail >= 0 else None

    def reset(self):
        self._forget()
        self._done = 0
        self.is_new_epoch = False
        self._previous_detail = -1.

    def serialize(self, serializer):
        done = int(serializer('batches_done', self._done))
        self.is_new_epoch = bool(serializer(
            'is_new_epoch', self.is_new_epoch))
        if done != self._done:
            self._forget()
            self._done = done
            self._previous_detail = self._detail(max(done - 1, 0))

    def _forget(self):
        while self._queue:
            for job in self._queue.popleft()[2]:
                job.cancel()

    def finalize(self):
        self._forget()
        self._pool.shutdown(wait=True)

    def __del__(self):
        # of the last job, perhaps, in its thread
        self._forget()
        self._pool.shutdown(wait=False)


def default_threads():
    """As many as the kernels have: the processors of this process."""
    text = os.environ.get('OMP_NUM_THREADS', '').split(',')[0].strip()
    if text.isdigit() and int(text) > 0:
        return int(text)
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _augment(image, kind, size, shorter, numbers):
    """A part of an image (uint8, shape (size, size, 3)).

    Args:
        image (numpy.ndarray): uint8, shape (H, W, 3).
        kind (str): See :class:`ImageIterator`.
        size, shorter (int): Likewise.
        numbers (numpy.ndarray): Five in [0, 1): of the area, the ratio, the
            place from the top and from the left, and the mirror.

    """
    h, w = image.shape[:2]
    area, ratio, top, left, mirror = numbers
    if kind == 'resized':
        area = (.08 + .92 * area) * h * w
        ratio = math.exp((2 * ratio - 1) * math.log(4 / 3))
        height = min(max(round(math.sqrt(area / ratio)), 1), h)
        width = min(max(round(math.sqrt(area * ratio)), 1), w)
        y, x = [int(p * (n + 1)) for p, n in (
            (top, h - height), (left, w - width))]
        part = image_files.resize(
            image[y:y + height, x:x + width], size, size)
    else:
        scale = shorter / min(h, w)
        # only what is needed of it is resized
        height, width = [max(round(n * scale), size) for n in (h, w)]
        if kind == 'centre':
            top = left = .5
        y, x = [int(p * (n - size + 1)) for p, n in (
            (top, height), (left, width))]
        part = image_files.resize(image, height, width)[
            y:y + size, x:x + size]
    if mirror < .5 and kind != 'centre':
        part = image_files.mirror(part)
    return part
