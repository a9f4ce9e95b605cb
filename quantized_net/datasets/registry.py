"""A data set by the name that a script's option gives it."""

import collections
import http.client
import queue
import sys
import threading
import time
import urllib.request

from chainer import datasets
import numpy

from quantized_net import errors
from quantized_net.datasets import cifar
from quantized_net.datasets import digits
from quantized_net.datasets import mnist

# name is what was taken: 'auto' is never one.
Data = collections.namedtuple('Data', 'name train test')

# The parts are tuples of uint8 images, shape (N, C, H, W), and int32 labels.
Images = collections.namedtuple('Images', 'name n_classes train test')

CIFAR_NAMES = ('auto', 'cifar10', 'cifar100', 'digits')

NAMES = ('auto', 'mnist', 'digits')

_SECONDS_TO_TRY = 3


def load(name='auto', data_dir=None, ndim=1):
    """Returns a data set.

    Args:
        name (str): ``'mnist'`` is strict; ``'digits'`` are the bundled ones;
            ``'auto'`` takes MNIST where it is on disk or a mirror answers
            within a few seconds, else the digits, and says so on the
            standard error.
        data_dir (str or None): See
            :func:`~quantized_net.datasets.get_mnist`.
        ndim (int): 1 for flat images, 3 for one channel.

    Returns:
        Data: ``name``, ``train`` and ``test``.

    Raises:
        ~quantized_net.UserError: For an unknown name or unusable files.

    """
    _check(name, NAMES, data_dir)
    if name == 'digits':
        return Data('digits', *digits.get_digits(ndim))
    if name == 'mnist' or data_dir is not None or mnist.is_cached():
        return Data('mnist', *mnist.get_mnist(data_dir, ndim))
    mirror = _first_answering(
        mnist.MIRRORS, mnist.FILES['test', 'labels'].name + '.gz')
    if mirror is not None:
        try:
            return Data('mnist', *mnist.get_mnist(
                None, ndim, [mirror], _SECONDS_TO_TRY))
        except errors.UserError as e:
            sys.stderr.write('%s\n' % e)
    _say_instead('MNIST', 'mnist')
    return Data('digits', *digits.get_digits(ndim))


def load_images(name='auto', data_dir=None):
    """Returns a data set for the CIFAR networks, as it is in its files.

    Args:
        name (str): ``'cifar10'`` and ``'cifar100'`` are strict; ``'digits'``
            are the bundled ones, grey and of 28x28; ``'auto'`` takes
            CIFAR-10 where it is on disk or its mirror answers within a few
            seconds, else the digits, and says so on the standard error.
        data_dir (str or None): See
            :func:`~quantized_net.datasets.cifar.load_arrays`.

    Returns:
        Images: ``name``, ``n_classes``, ``train`` and ``test``.

    Raises:
        ~quantized_net.UserError: For an unknown name or unusable files.

    """
    _check(name, CIFAR_NAMES, data_dir)
    mirrors = list(cifar.MIRRORS)
    if name == 'auto':
        name = 'cifar10'
        if data_dir is None and not cifar.is_cached(name):
            mirrors = [_first_answering(mirrors, cifar.SPECS[name].archive)]
            if mirrors == [None]:
                _say_instead('CIFAR-10', name)
                name = 'digits'
    if name != 'digits':
        return Images(name, cifar.SPECS[name].n_classes,
                      *cifar.load_arrays(name, data_dir, mirrors))
    parts = []
    for part in digits.get_digits(3):
        images, labels = [numpy.stack(a) for a in zip(*part)]
        parts.append((numpy.rint(images * 255).astype(numpy.uint8), labels))
    return Images('digits', 10, *parts)


def _check(name, names, data_dir):
    if name not in names:
        raise errors.UserError('unknown data set %r; there are: %s' % (
            name, ', '.join(names)))
    if name == 'digits' and data_dir is not None:
        raise errors.UserError(
            'data_dir %s: the digits are bundled and read no folder; leave it '
            'out' % data_dir)


def _say_instead(title, name):
    sys.stderr.write(
        'NOT %s: it is not on disk and no mirror answered; training on the '
        '1,797 bundled digits instead (a folder with %s may be named, and '
        'the data set %s insists on it)\n' % (title, title, name))


def _first_answering(mirrors, name):
    """The mirror that answers first, or None after a few seconds."""
    answers = queue.SimpleQueue()  # type: queue.SimpleQueue

    def ask(mirror):
        request = urllib.request.Request(
            mirror + name, method='HEAD')
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS_TO_TRY):
                answers.put(mirror)
        except (OSError, ValueError, http.client.HTTPException):
            answers.put(None)

    # in threads that nobody waits for: to look up a name can take longer
    # than any timeout
    for mirror in mirrors:
        threading.Thread(target=ask, args=(mirror,), daemon=True).start()
    deadline = time.monotonic() + _SECONDS_TO_TRY
    for _ in mirrors:
        try:
            mirror = answers.get(timeout=max(deadline - time.monotonic(), 0))
        except queue.Empty:
            return None
        if mirror is not None:
            return mirror
    return None


def split_validation(train, n):
    """Holds out the last n examples of a training set.

    Returns:
        tuple: What is left for training, and the n examples.

    """
    if not 0 < n < len(train):
        raise errors.UserError(
            'can not hold out %d of %d training images' % (n, len(train)))
    split = len(train) - n
    return (datasets.SubDataset(train, 0, split),
            datasets.SubDataset(train, split, len(train)))
