"""Quantized networks in Chainer: ternary, binary and low-precision."""

from quantized_net import _compat

_compat.install()

from quantized_net import errors  # NOQA: E402
from quantized_net import functions  # NOQA: E402
from quantized_net import links  # NOQA: E402
from quantized_net import optimizer_hooks  # NOQA: E402
from quantized_net import quantizers  # NOQA: E402
from quantized_net.errors import UserError  # NOQA: E402
from quantized_net.links import QuantizedConvolution2D  # NOQA: E402
from quantized_net.links import QuantizedLinear  # NOQA: E402
from quantized_net.optimizer_hooks import WeightClip  # NOQA: E402

from quantized_net._version import __version__  # NOQA: E402

__all__ = [
    'QuantizedConvolution2D', 'QuantizedLinear', 'UserError', 'WeightClip',
    'errors', 'functions', 'links', 'optimizer_hooks', 'quantizers',
]
