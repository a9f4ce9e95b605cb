"""A Chainer model becomes a list of operations, by watching it at work."""

from quantized_net.tracing.trace import trace

__all__ = ['trace']
