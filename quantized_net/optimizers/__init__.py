"""Chainer's optimizers, with faster CPU updates."""

from quantized_net.optimizers.adam import Adam

__all__ = ['Adam']
