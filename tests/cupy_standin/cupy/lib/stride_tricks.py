"""Views with strides of one's own."""

from numpy.lib import stride_tricks as _stride_tricks

from standin import conversion as _conversion


def as_strided(x, shape=None, strides=None):
    return _conversion.of(_stride_tricks.as_strided(x._a, shape, strides))


def sliding_window_view(x, window_shape, axis=None):
    return _conversion.of(_stride_tricks.sliding_window_view(
        x._a, window_shape, axis))
