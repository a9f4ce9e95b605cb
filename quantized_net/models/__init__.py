"""The networks of the published experiments."""

from quantized_net.models.convnet import ConvNet
from quantized_net.models.mlp import MLP

__all__ = ['ConvNet', 'MLP']
