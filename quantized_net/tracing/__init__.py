"""A Chainer model becomes a list of operations, by watching it at work."""

from quantized_net.tracing.trace import network_of
from quantized_net.tracing.trace import trace

__all__ = ['network_of', 'trace']
