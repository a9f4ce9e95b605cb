"""The data sets: found on disk, downloaded and checked, or bundled."""

from quantized_net.datasets.batches import BatchIterator
from quantized_net.datasets.batches import iterator
from quantized_net.datasets.batches import to_device
from quantized_net.datasets.cifar import get_cifar10
from quantized_net.datasets.cifar import get_cifar100
from quantized_net.datasets.digits import get_digits
from quantized_net.datasets.registry import CIFAR_NAMES
from quantized_net.datasets.registry import load
from quantized_net.datasets.registry import load_images
from quantized_net.datasets.registry import NAMES
from quantized_net.datasets.registry import split_validation
from quantized_net.datasets.mnist import get_mnist

__all__ = [
    'BatchIterator', 'CIFAR_NAMES', 'NAMES', 'get_cifar10', 'get_cifar100',
    'get_digits', 'get_mnist', 'iterator', 'load', 'load_images',
    'split_validation', 'to_device',
]
