"""The networks of the published experiments."""

from quantized_net.models.alexnet import AlexNet
from quantized_net.models.binarynet import BinaryNet
from quantized_net.models.convnet import ConvNet
from quantized_net.models.googlenet_bn import GoogLeNetBN
from quantized_net.models.gupta import GuptaCifarCNN
from quantized_net.models.gupta import GuptaCNN
from quantized_net.models.gupta import GuptaDNN
from quantized_net.models.lenet import LeNet
from quantized_net.models.mlp import MLP
from quantized_net.models.polino import PolinoCIFAR
from quantized_net.models.resnet_cifar import ResNetCIFAR
from quantized_net.models.resnet_imagenet import ResNet
from quantized_net.models.vgg16 import VGG16
from quantized_net.models.vgg7 import VGG7

__all__ = [
    'AlexNet', 'BinaryNet', 'ConvNet', 'GoogLeNetBN', 'GuptaCNN',
    'GuptaCifarCNN', 'GuptaDNN', 'LeNet', 'MLP', 'PolinoCIFAR', 'ResNet',
    'ResNetCIFAR', 'VGG16', 'VGG7',
]
