"""The bundled digits: real handwriting, no network needed."""

from chainer import datasets
import numpy


def get_digits(ndim=1):
    """The 1,797 handwritten digits that ship inside scikit-learn.

    They are 8x8 images of 17 grey levels, of the test part of "Optical
    Recognition of Handwritten Digits" (UCI, Alpaydin and Kaynak).  Here they
    are scaled to 28x28 by linear interpolation, and split once and for all:
    of each digit every fifth image is for the test, 355 in all, and the
    other 1,442 are for training.

    Args:
        ndim (int): 1 for images of shape (784,), 3 for (1, 28, 28).

    Returns:
        tuple: Training and test set, each a
        :class:`~chainer.datasets.TupleDataset` of float32 images in [0, 1]
        and int32 labels.

    """
    from sklearn import datasets as sklearn_datasets

    images, labels = sklearn_datasets.load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8).astype(numpy.float32) / 16
    weights = interpolation(8, 28)
    images = numpy.einsum(
        'ip,npq,jq->nij', weights, images, weights, optimize=True)
    images = numpy.clip(images, 0, 1)
    images = images.reshape((-1, 784) if ndim == 1 else (-1, 1, 28, 28))
    labels = labels.astype(numpy.int32)

    is_test = numpy.zeros(len(labels), bool)
    for digit in range(10):
        is_test[numpy.flatnonzero(labels == digit)[4::5]] = True
    return tuple(
        datasets.TupleDataset(images[chosen], labels[chosen])
        for chosen in (~is_test, is_test))


def interpolation(n_in, n_out):
    """Weights (n_out, n_in) of linear interpolation, pixels as areas."""
    position = (numpy.arange(n_out) + .5) * n_in / n_out - .5
    distance = numpy.abs(
        numpy.clip(position, 0, n_in - 1)[:, None] - numpy.arange(n_in))
    return numpy.clip(1 - distance, 0, None).astype(numpy.float32)
