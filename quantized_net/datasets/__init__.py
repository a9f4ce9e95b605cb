"""The data sets: found on disk, downloaded and checked, or bundled."""

from quantized_net.datasets.digits import get_digits
from quantized_net.datasets.registry import load
from quantized_net.datasets.registry import NAMES
from quantized_net.datasets.registry import split_validation
from quantized_net.datasets.mnist import get_mnist

__all__ = [
    'NAMES', 'get_digits', 'get_mnist', 'load', 'split_validation',
]
