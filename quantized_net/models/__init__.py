"""The networks of the published experiments."""

from quantized_net.models.mlp import MLP

__all__ = ['MLP']
