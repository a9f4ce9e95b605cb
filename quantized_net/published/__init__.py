"""The published tables as data, each figure with its source."""

from quantized_net.published.figure import Figure
from quantized_net.published import mnist_qnn
from quantized_net.published import mnist_ternary

__all__ = ['Figure', 'mnist_qnn', 'mnist_ternary']
