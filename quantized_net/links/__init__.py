"""Chainer's layers with a quantizer as a child link."""

from quantized_net.links.batch_normalization import BatchNormalization
from quantized_net.links.classifier import Classifier
from quantized_net.links.convolution_2d import Convolution2D
from quantized_net.links.quantized_convolution_2d import (
    QuantizedConvolution2D)
from quantized_net.links.quantized_layer import QuantizedLayer
from quantized_net.links.quantized_linear import QuantizedLinear
from quantized_net.links.shift_batch_normalization import (
    ShiftBatchNormalization)
from quantized_net.links.shift_batch_normalization import to_shift_based

__all__ = [
    'BatchNormalization', 'Classifier', 'Convolution2D',
    'QuantizedConvolution2D', 'QuantizedLayer', 'QuantizedLinear',
    'ShiftBatchNormalization', 'to_shift_based',
]
