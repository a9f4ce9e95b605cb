"""Arrays in, arrays out: quantizing functions and their gradients."""

from quantized_net.functions.batch_normalization import batch_normalization
from quantized_net.functions.batch_normalization import (
    fixed_batch_normalization)
from quantized_net.functions.binary_linear import binary_linear
from quantized_net.functions.convolution_2d import convolution_2d
from quantized_net.functions.linear_quant import linear_quant
from quantized_net.functions.log_quant import ap2
from quantized_net.functions.log_quant import log_quant
from quantized_net.functions.pooling_2d import average_pooling_2d
from quantized_net.functions.pooling_2d import max_pooling_2d
from quantized_net.functions.quantized_backward import (
    convolution_2d_with_quantized_backward)
from quantized_net.functions.quantized_backward import (
    linear_with_quantized_backward)
from quantized_net.functions.sign import sign
from quantized_net.functions.sign import stochastic_sign
from quantized_net.functions.soften import soften
from quantized_net.functions.synchronized_batch_normalization import (
    synchronized_batch_normalization)
from quantized_net.functions.ternary import max_threshold
from quantized_net.functions.ternary import quantile_threshold
from quantized_net.functions.ternary import ternary
from quantized_net.functions.ternary import twn
from quantized_net.functions.ternary import twn_codes
from quantized_net.functions.ternary import twn_threshold
from quantized_net.functions.top_k_accuracy import top_k_accuracy

__all__ = [
    'ap2', 'average_pooling_2d', 'batch_normalization', 'binary_linear',
    'convolution_2d', 'convolution_2d_with_quantized_backward',
    'fixed_batch_normalization', 'linear_quant',
    'linear_with_quantized_backward', 'log_quant',
    'max_pooling_2d', 'max_threshold', 'quantile_threshold', 'sign',
    'soften', 'stochastic_sign', 'synchronized_batch_normalization',
    'ternary', 'top_k_accuracy', 'twn', 'twn_codes', 'twn_threshold',
]
