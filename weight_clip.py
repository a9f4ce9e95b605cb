"""The hook under the name that the original code uses.

>>> import weight_clip
>>> optimizer.add_hook(weight_clip.WeightClip())
"""

from quantized_net.optimizer_hooks.weight_clip import WeightClip

__all__ = ['WeightClip']
