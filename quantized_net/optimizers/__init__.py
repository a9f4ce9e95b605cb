"""Optimizers that are faster than Chainer's."""

from quantized_net.optimizers.adam import Adam
from quantized_net.optimizers.momentum_sgd import MomentumSGD

__all__ = ['Adam', 'MomentumSGD']
