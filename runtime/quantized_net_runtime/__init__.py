"""Predictions of packed networks, with NumPy and safetensors alone.

>>> import quantized_net_runtime
>>> net = quantized_net_runtime.load_packed('net.safetensors')
>>> net.predict(images)

The files are those of ``quantized_net.save_packed``.
"""

from .errors import UserError
from .inference import Predictor
from .inference import load_packed

__all__ = ['Predictor', 'UserError', 'load_packed']
