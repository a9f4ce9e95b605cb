"""The hot loops: a NumPy reference and a compiled form of each."""

from quantized_net.kernels.adam import adam_update
from quantized_net.kernels.native import show_config

__all__ = ['adam_update', 'show_config']
