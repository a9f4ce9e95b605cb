"""Batches of images: chosen, cropped, mirrored and scaled in one pass."""

import numpy

from chainer import backend
from chainer.backends import cuda


def reference(images, labels, places, pad, mean, scale):
    """A batch of images and labels; the NumPy form.

    .. math:: y = (\\text{mirror}(\\text{crop}(x)) - mean) \\cdot scale

    Args:
        images (numpy.ndarray): Shape (N, H, W, C).
        labels (numpy.ndarray): Shape (N,).
        places (numpy.ndarray): int32, shape (4, B): for each image of the
            batch its index, the row and the column of its crop within ``pad``
            zeros around it (``pad`` for the image as it is), and whether it
            is mirrored.
        pad (int): At least 0.
        mean (numpy.ndarray): float32; broadcasts to (H, W, C).
        scale (numpy.float32): The factor.

    Returns:
        tuple: float32, shape (B, C, H, W), channels-last in memory; and
        labels, shape (B,).

    """
    index, top, left, is_mirrored = places
    batch = images[index]
    if pad:
        batch = _crop(batch, pad, top, left)
    flipped = is_mirrored == 1
    if flipped.any():
        batch[flipped] = batch[flipped, :, ::-1]
    batch = batch - mean
    batch *= scale
    return batch.transpose(0, 3, 1, 2), labels[index]


def _crop(images, pad, top, left):
    n, h, w, c = images.shape
    padded = numpy.zeros((n, h + 2 * pad, w + 2 * pad, c), images.dtype)
    padded[:, pad:pad + h, pad:pad + w] = images
    windows = numpy.lib.stride_tricks.sliding_window_view(
        padded, (h, w), axis=(1, 2))
    crops = windows[numpy.arange(n), top, left]
    return numpy.ascontiguousarray(crops.transpose(0, 2, 3, 1))


def cuda_form(images, labels, places, pad, mean, scale):
    """The CUDA form of :func:`reference`, with the same bits.

    Args:
        images (cupy.ndarray): Shape (N, C, H, W), C-contiguous.
        labels (cupy.ndarray): int32, shape (N,).
        places (cupy.ndarray): As above.
        pad (int): As above.
        mean (cupy.ndarray): float32, shape (C, H, W).
        scale (numpy.float32): The factor.

    Returns:
        tuple: float32, shape (B, C, H, W); and int32, shape (B,).

    """
    xp, n = backend.get_array_module(images), places.shape[1]
    y = xp.empty((n,) + images.shape[1:], numpy.float32)
    batch_labels = xp.empty(n, numpy.int32)
    cuda.elementwise(
        'raw T images, raw int32 labels, raw int32 places, raw float32 mean, '
        'int32 batch, int32 pad, int32 height, int32 width, int32 size, '
        'float32 scale', 'float32 y, raw int32 batch_labels', '''
        const int b = i / size, k = i % size;  // k: in an image
        const int column = k % width, row = k / width % height;
        const int from_row = row + places[batch + b] - pad;
        const int from_column = places[2 * batch + b] - pad
            + (places[3 * batch + b] ? width - 1 - column : column);
        const long long image = places[b];
        float pixel = 0;
        if (from_row >= 0 && from_row < height && from_column >= 0
            && from_column < width)
          pixel = (float)images[image * size + k
              + (long long)(from_row - row) * width + from_column - column];
        y = (pixel - mean[k]) * scale;
        if (k == 0) batch_labels[b] = labels[image];
        ''', 'quantized_net_crops')(
            images, labels, places, mean, n, pad, *images.shape[2:],
            mean.size, scale, y, batch_labels)
    return y, batch_labels
