"""Networks for other runtimes."""

from quantized_net.export.onnx_file import export_onnx

__all__ = ['export_onnx']
