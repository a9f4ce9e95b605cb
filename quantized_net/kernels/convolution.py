"""The two-dimensional convolution and its gradients."""

import collections

import numpy

from quantized_net.kernels import layout
from quantized_net.kernels import native

# Pairs for height and width, but for groups.
Geometry = collections.namedtuple(
    'Geometry', 'kernel stride pad dilate groups')

# Floats of the columns that the NumPy form makes at a time.
_COLUMNS = 1 << 20


def convolution(x, W, b, geometry, out_size, exact=False):
    """Cross-correlation, as :func:`chainer.functions.convolution_2d` has it.

    Args:
        x (numpy.ndarray): Images, shape (N, C, H, W), any strides.
        W (numpy.ndarray): Weights, shape (O, C / groups, kh, kw).
        b (numpy.ndarray or None): Biases, shape (O,).
        geometry (Geometry): Kernel, stride, padding, dilation, groups.
        out_size (tuple): H', W'.
        exact (bool): Whether sums of whole numbers are exact, as long as
            they are below :math:`2^{24}`: without Winograd's fractions, the
            bias last.

    Returns:
        numpy.ndarray: Shape (N, O, H', W'), channels-last where compiled.

    """
    if native.takes(x, W, b):
        x = _in_floats(x)
        y = layout.empty((len(x), len(W)) + tuple(out_size))
        first_bias = None if b is None or exact else (
            numpy.ascontiguousarray(b))
        if native.call(
                'convolution', sizes(x.shape, y.shape, geometry, exact), x,
                numpy.ascontiguousarray(W), first_bias,
                layout.channels_last(y)):
            if exact and b is not None:
                y += b[:, None, None]
            return y
    return convolution_reference(x, W, b, geometry, out_size)


def gradient_x(gy, W, geometry, in_size):
    """The gradient of :func:`convolution` to its images.

    Args:
        gy (numpy.ndarray): Gradient of the output, shape (N, O, H', W').
        W, geometry: As there.
        in_size (tuple): H, W.

    Returns:
        numpy.ndarray: Shape (N, C, H, W), channels-last where compiled.

    """
    if native.takes(gy, W):
        gy = _in_floats(gy)
        gx = layout.empty(
            (len(gy), W.shape[1] * geometry.groups) + tuple(in_size))
        if native.call(
                'convolution_gradient_x',
                sizes(gx.shape, gy.shape, geometry), gy,
                numpy.ascontiguousarray(W), layout.channels_last(gx)):
            return gx
    return gradient_x_reference(gy, W, geometry, in_size)


def gradient_W(x, gy, geometry):
    """The gradient of :func:`convolution` to its weights.

    Args:
        x, gy (numpy.ndarray): Images and gradient of the output.
        geometry (Geometry): As there.

    Returns:
        numpy.ndarray: Shape (O, C / groups, kh, kw).

    """
    if native.takes(x, gy):
        x = _in_floats(x)
        gW = numpy.empty((gy.shape[1], x.shape[1] // geometry.groups)
                         + tuple(geometry.kernel), numpy.float32)
        if native.call(
                'convolution_gradient_W',
                sizes(x.shape, gy.shape, geometry), x,
                layout.channels_last(gy), gW):
            return gW
    return gradient_W_reference(x, gy, geometry)


def sizes(in_shape, out_shape, g, exact=False):
    """A convolution's numbers, as C has them."""
    return in_shape + out_shape[1:] + tuple(g.kernel) + tuple(
        g.stride) + tuple(g.pad) + tuple(g.dilate) + (g.groups, exact)


def _in_floats(x):
    """The array, or a copy where its strides are no whole floats."""
    return x.copy() if any(s % x.itemsize for s in x.strides) else x


def convolution_reference(x, W, b, geometry, out_size):
    """The NumPy form of :func:`convolution`."""
    n, groups = len(x), geometry.groups
    y = numpy.empty((n, groups, len(W) // groups, out_size[0] * out_size[1]),
                    numpy.result_type(x, W))
    kernels = W.reshape(groups, len(W) // groups, -1)
    for part in _parts(n, x, geometry, out_size):
        columns = _columns(x[part], geometry, out_size)
        numpy.matmul(kernels, columns, out=y[part])
    y = y.reshape((n, len(W)) + tuple(out_size))
    if b is not None:
        y += b[:, None, None]
    return y.astype(x.dtype, copy=False)


def gradient_x_reference(gy, W, geometry, in_size):
    """The NumPy form of :func:`gradient_x`."""
    g = geometry
    n, channels = len(gy), W.shape[1] * g.groups
    out_size = gy.shape[2:]
    kernels = W.reshape(g.groups, len(W) // g.groups, -1).transpose(0, 2, 1)
    gx = numpy.empty((n, channels) + tuple(in_size), gy.dtype)
    padded = [max(i + 2 * p, (o - 1) * s + (k - 1) * d + 1) for
              i, p, o, s, k, d in zip(in_size, g.pad, out_size, g.stride,
                                      g.kernel, g.dilate)]
    for part in _parts(n, gx, g, out_size):
        columns = numpy.matmul(kernels, gy[part].reshape(
            -1, g.groups, len(W) // g.groups, out_size[0] * out_size[1]))
        columns = columns.reshape(
            (-1, channels) + tuple(g.kernel) + tuple(out_size))
        total = numpy.zeros((len(columns), channels) + tuple(padded),
                            gy.dtype)
        for i in range(g.kernel[0]):
            for j in range(g.kernel[1]):
                total[_places(g, out_size, i, j)] += columns[:, :, i, j]
        gx[part] = total[:, :, g.pad[0]:g.pad[0] + in_size[0],
                         g.pad[1]:g.pad[1] + in_size[1]]
    return gx


def gradient_W_reference(x, gy, geometry):
    """The NumPy form of :func:`gradient_W`."""
    groups, out_size = geometry.groups, gy.shape[2:]
    per_group = gy.shape[1] // groups
    shape = (gy.shape[1], x.shape[1] // groups) + tuple(geometry.kernel)
    total = numpy.zeros(
        (groups, per_group, int(numpy.prod(shape[1:]))), x.dtype)
    for part in _parts(len(x), x, geometry, out_size):
        columns = _columns(x[part], geometry, out_size)
        total += numpy.matmul(
            gy[part].reshape(len(columns), groups, per_group, -1),
            columns.transpose(0, 1, 3, 2)).sum(axis=0)
    return total.reshape(shape)


def _parts(n, x, g, out_size):
    of_one = x.shape[1] * out_size[0] * out_size[1] * g.kernel[0] * (
        g.kernel[1])
    step = max(_COLUMNS // max(of_one, 1), 1)
    return [slice(i, i + step) for i in range(0, n, step)]


def _places(g, out_size, i, j):
    """Where the outputs see the place (i, j) of the kernel, padded."""
    return (slice(None), slice(None)) + tuple(
        slice(k * d, k * d + (o - 1) * s + 1, s) for k, d, o, s in zip(
            (i, j), g.dilate, out_size, g.stride))


def _columns(x, g, out_size):
    """Shape (n, groups, C / groups * kh * kw, H' * W')."""
    reach = [(o - 1) * s + (k - 1) * d + 1 for o, s, k, d in zip(
        out_size, g.stride, g.kernel, g.dilate)]
    after = [max(r - i - p, 0) for r, i, p in zip(reach, x.shape[2:], g.pad)]
    x = numpy.pad(x, ((0, 0), (0, 0)) + tuple(zip(g.pad, after)))
    columns = numpy.empty(
        x.shape[:2] + tuple(g.kernel) + tuple(out_size), x.dtype)
    for i in range(g.kernel[0]):
        for j in range(g.kernel[1]):
            columns[:, :, i, j] = x[_places(g, out_size, i, j)]
    return columns.reshape(
        len(x), g.groups, -1, out_size[0] * out_size[1])
