"""Arrays in, arrays out: quantizing functions and their gradients."""

from quantized_net.functions.batch_normalization import batch_normalization
from quantized_net.functions.batch_normalization import (
    fixed_batch_normalization)
from quantized_net.functions.binary_linear import binary_linear
from quantized_net.functions.buckets import bucket_ranges
from quantized_net.functions.buckets import bucket_table
from quantized_net.functions.buckets import nearest_of_points
from quantized_net.functions.buckets import nearest_points
from quantized_net.functions.buckets import uniform_buckets
from quantized_net.functions.buckets import uniform_codes
from quantized_net.functions.buckets import uniform_points
from quantized_net.functions.code_linear import code_linear
from quantized_net.functions.convolution_2d import convolution_2d
from quantized_net.functions.dorefa import dorefa_activation
from quantized_net.functions.dorefa import dorefa_codes
from quantized_net.functions.dorefa import dorefa_gradient
from quantized_net.functions.dorefa import dorefa_gradient_values
from quantized_net.functions.dorefa import dorefa_scale
from quantized_net.functions.dorefa import dorefa_values
from quantized_net.functions.dorefa import dorefa_weight
from quantized_net.functions.fixed_point import check_format
from quantized_net.functions.fixed_point import fixed_point
from quantized_net.functions.fixed_point import new_key
from quantized_net.functions.fixed_point import to_fixed_point
from quantized_net.functions.inq import inq
from quantized_net.functions.inq import inq_boundaries
from quantized_net.functions.inq import inq_magnitudes
from quantized_net.functions.inq import largest_exponent
from quantized_net.functions.learned_step import learned_step
from quantized_net.functions.learned_step import learned_step_values
from quantized_net.functions.learned_step import positive_step
from quantized_net.functions.linear_quant import linear_quant
from quantized_net.functions.log_quant import ap2
from quantized_net.functions.log_quant import log_quant
from quantized_net.functions.pooling_2d import average_pooling_2d
from quantized_net.functions.pooling_2d import max_pooling_2d
from quantized_net.functions.quantize_gradient import quantize_gradient
from quantized_net.functions.quantized_backward import (
    convolution_2d_with_quantized_backward)
from quantized_net.functions.quantized_backward import (
    linear_with_quantized_backward)
from quantized_net.functions.scaled_sign import scaled_sign
from quantized_net.functions.scaled_sign import sign_scales
from quantized_net.functions.shift_batch_normalization import (
    fixed_shift_batch_normalization)
from quantized_net.functions.shift_batch_normalization import (
    shift_batch_normalization)
from quantized_net.functions.sign import sign
from quantized_net.functions.sign import stochastic_sign
from quantized_net.functions.soften import soften
from quantized_net.functions.square_hinge import square_hinge
from quantized_net.functions.ternary import max_threshold
from quantized_net.functions.ternary import max_thresholds
from quantized_net.functions.ternary import quantile_threshold
from quantized_net.functions.ternary import ternary
from quantized_net.functions.ternary import twn
from quantized_net.functions.ternary import twn_codes
from quantized_net.functions.ternary import twn_threshold
from quantized_net.kernels.codes import Grid
from quantized_net.kernels.codes import grids_of as code_grids

__all__ = [
    'Grid', 'ap2', 'average_pooling_2d', 'batch_normalization',
    'binary_linear', 'bucket_ranges', 'bucket_table', 'check_format',
    'code_grids', 'code_linear', 'convolution_2d',
    'convolution_2d_with_quantized_backward', 'dorefa_activation',
    'dorefa_codes', 'dorefa_gradient', 'dorefa_gradient_values',
    'dorefa_scale', 'dorefa_values', 'dorefa_weight',
    'fixed_batch_normalization', 'fixed_point',
    'fixed_shift_batch_normalization', 'inq', 'inq_boundaries',
    'inq_magnitudes', 'largest_exponent', 'learned_step',
    'learned_step_values', 'linear_quant', 'linear_with_quantized_backward',
    'log_quant', 'max_pooling_2d', 'max_threshold', 'max_thresholds',
    'nearest_of_points', 'nearest_points', 'new_key', 'positive_step',
    'quantile_threshold', 'quantize_gradient', 'scaled_sign',
    'shift_batch_normalization', 'sign', 'sign_scales', 'soften',
    'square_hinge', 'stochastic_sign', 'ternary', 'to_fixed_point', 'twn',
    'twn_codes', 'twn_threshold', 'uniform_buckets', 'uniform_codes',
    'uniform_points',
]
