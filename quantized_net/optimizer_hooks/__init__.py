"""Hooks of the optimizer."""

from quantized_net.optimizer_hooks.weight_clip import WeightClip

__all__ = ['WeightClip']
