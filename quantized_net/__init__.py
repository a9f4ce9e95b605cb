"""Quantized networks in Chainer: ternary, binary and low-precision."""

from quantized_net import _compat

_compat.install()

from quantized_net import convert  # noqa: E402
from quantized_net import errors  # noqa: E402
from quantized_net import export  # noqa: E402
from quantized_net import functions  # noqa: E402
from quantized_net import links  # noqa: E402
from quantized_net import optimizer_hooks  # noqa: E402
from quantized_net import quantizers  # noqa: E402
from quantized_net.weights import load_float  # noqa: E402
from quantized_net.convert import quantize  # noqa: E402
from quantized_net.errors import UserError  # noqa: E402
from quantized_net._process import settle_process  # noqa: E402
from quantized_net._version import __version__  # noqa: E402
from quantized_net.kernels import show_config  # noqa: E402
from quantized_net.packed import load_packed  # noqa: E402
from quantized_net.packed import save_packed  # noqa: E402
from quantized_net.links import QuantizedConvolution2D  # noqa: E402
from quantized_net.links import QuantizedLinear  # noqa: E402
from quantized_net.optimizer_hooks import WeightClip  # noqa: E402
from quantized_net.summary import summary  # noqa: E402

__all__ = [
    'QuantizedConvolution2D', 'QuantizedLinear', 'UserError', 'WeightClip',
    '__version__', 'convert', 'errors', 'export', 'functions', 'links',
    'load_float', 'load_packed', 'optimizer_hooks', 'quantize', 'quantizers',
    'save_packed', 'settle_process', 'show_config', 'summary',
]
