"""Arrays in, arrays out: quantizing functions and their gradients."""

from quantized_net.functions.linear_quant import linear_quant
from quantized_net.functions.log_quant import ap2
from quantized_net.functions.log_quant import log_quant
from quantized_net.functions.quantized_backward import (
    convolution_2d_with_quantized_backward)
from quantized_net.functions.quantized_backward import (
    linear_with_quantized_backward)
from quantized_net.functions.sign import sign
from quantized_net.functions.sign import stochastic_sign
from quantized_net.functions.ternary import max_threshold
from quantized_net.functions.ternary import quantile_threshold
from quantized_net.functions.ternary import ternary
from quantized_net.functions.ternary import twn
from quantized_net.functions.ternary import twn_codes

__all__ = [
    'ap2', 'convolution_2d_with_quantized_backward', 'linear_quant',
    'linear_with_quantized_backward', 'log_quant', 'max_threshold',
    'quantile_threshold', 'sign', 'stochastic_sign', 'ternary', 'twn',
    'twn_codes',
]
