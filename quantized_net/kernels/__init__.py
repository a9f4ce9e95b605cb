"""The hot loops: a NumPy reference and a compiled form of each."""

from quantized_net.kernels.adam import adam_update
from quantized_net.kernels.adam import adam_updates
from quantized_net.kernels.momentum_sgd import momentum_sgd_update
from quantized_net.kernels.momentum_sgd import momentum_sgd_updates
from quantized_net.kernels.native import set_threads
from quantized_net.kernels.native import show_config
from quantized_net.kernels.powers_of_two import to_powers_of_two

__all__ = ['adam_update', 'adam_updates', 'momentum_sgd_update',
           'momentum_sgd_updates', 'set_threads', 'show_config',
           'to_powers_of_two']
