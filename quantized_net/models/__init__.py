"""The networks of the published experiments."""

from quantized_net.models.convnet import ConvNet
from quantized_net.models.mlp import MLP
from quantized_net.models.resnet_cifar import ResNetCIFAR

__all__ = ['ConvNet', 'MLP', 'ResNetCIFAR']
