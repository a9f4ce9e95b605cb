"""Hooks of the optimizer."""

from quantized_net.optimizer_hooks.fixed_point_steps import (
    fixed_point_steps)
from quantized_net.optimizer_hooks.gradient_sign import GradientSign
from quantized_net.optimizer_hooks.glorot_rates import glorot_rates
from quantized_net.optimizer_hooks.scale_steps import scale_steps
from quantized_net.optimizer_hooks.weight_clip import WeightClip

__all__ = ['GradientSign', 'WeightClip', 'fixed_point_steps', 'glorot_rates',
           'scale_steps']
