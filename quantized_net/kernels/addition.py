"""Addition in place."""

from quantized_net.kernels import layout
from quantized_net.kernels import native


def add_to(y, x):
    """Adds x to y, in place.

    Args:
        y (numpy.ndarray): Shape (N, C, H, W).
        x (numpy.ndarray): Likewise; of any strides.

    """
    last = y.transpose(0, 2, 3, 1)
    if not (native.takes(y, x) and last.flags.c_contiguous and native.call(
            'add', last, layout.channels_last(x), y.size)):
        reference(y, x)


def reference(y, x):
    """The NumPy form."""
    y += x
