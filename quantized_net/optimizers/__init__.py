"""Optimizers that are faster than Chainer's, or lack there."""

from quantized_net.optimizers.adam import Adam
from quantized_net.optimizers.momentum_sgd import MomentumSGD
from quantized_net.optimizers.shift_adamax import ShiftAdaMax

__all__ = ['Adam', 'MomentumSGD', 'ShiftAdaMax']
