"""The quantized backward pass against products written out."""

import chainer
from chainer import functions as F
import numpy
import pytest

from quantized_net import functions


def quantize(x):
    return functions.log_quant(x, clip_value=None)


def arrays(device, *shapes):
    return [chainer.Parameter(device.send(
        numpy.random.uniform(-1, 1, shape).astype('f'))) for shape in shapes]


def backward(y, gy, variables):
    for v in variables:
        v.cleargrad()
    y.grad = gy
    y.backward()
    send = chainer.get_device('@numpy').send
    return [send(v.grad) for v in variables]


@pytest.mark.parametrize('n,n_in,n_out', [(1, 1, 1), (5, 4, 3), (7, 13, 11)])
def test_linear(device, n, n_in, n_out):
    x, W, b, gy = arrays(device, (n, n_in), (n_out, n_in), (n_out,),
                         (n, n_out))
    y = functions.linear_with_quantized_backward(x, W, b, quantize)
    assert (y.array == F.linear(x, W, b).array).all()
    gx, gW, gb = backward(y, gy.array, (x, W, b))
    send = chainer.get_device('@numpy').send
    gq = send(quantize(gy).array)
    numpy.testing.assert_allclose(gx, gq @ send(W.array), 1e-5, 1e-6)
    numpy.testing.assert_allclose(
        gW, gq.T @ send(quantize(x).array), 1e-5, 1e-6)
    numpy.testing.assert_allclose(
        gb, send(gy.array).sum(axis=0), 1e-5, 1e-6)


@pytest.mark.parametrize('options', [
    {}, {'pad': 1}, {'stride': 2, 'pad': 1}, {'pad': 2, 'dilate': 2},
    {'pad': 1, 'groups': 2}])
def test_convolution(device, options):
    groups = options.get('groups', 1)
    x, W, b = arrays(device, (2, 4, 7, 6), (6, 4 // groups, 3, 3), (6,))
    y = functions.convolution_2d_with_quantized_backward(
        x, W, b, quantize, **options)
    numpy.testing.assert_array_equal(
        chainer.get_device('@numpy').send(y.array),
        chainer.get_device('@numpy').send(
            F.convolution_2d(x, W, b, **options).array))
    gy, = arrays(device, y.shape)
    got = backward(y, gy.array, (x, W, b))
    # the same gradients out of Chainer's convolution, fed with quantized
    # operands; the bias alone sees the gradient as it came
    xq = chainer.Parameter(quantize(x).array)
    expected = backward(F.convolution_2d(xq, W, b, **options),
                        quantize(gy).array, (xq, W))
    for g, e in zip(got, expected):
        numpy.testing.assert_allclose(g, e, 1e-5, 1e-6)
    numpy.testing.assert_allclose(
        got[2], chainer.get_device('@numpy').send(
            gy.array.sum(axis=(0, 2, 3))), 1e-5, 1e-6)
