"""A gradient quantizer that is an identity stands behind the output."""

import chainer
import numpy
import pytest

from quantized_net import functions
from quantized_net import links
from quantized_net import quantizers
from testing import to_cpu


def make(kind, quantizer):
    numpy.random.seed(3)
    if kind == 'linear':
        return links.QuantizedLinear(
            12, 5, weight_quantizer=quantizers.Sign(),
            gradient_quantizer=quantizer)
    return links.QuantizedConvolution2D(
        3, 5, 3, pad=1, weight_quantizer=quantizers.TWN(),
        gradient_quantizer=quantizer)


@pytest.fixture
def x(device):
    return device.send(
        numpy.random.uniform(-1, 1, (4, 3, 2, 2)).astype('f'))


class Halving(quantizers.Quantizer):

    """So that the gradient behind it is known: half of it."""

    is_identity = True

    def forward(self, x):
        return x / 2 + (x / 2).array


@pytest.mark.parametrize('kind', ['linear', 'convolution'])
def test_the_backward_is_that_of_the_quantized_gradient(device, kind, x):
    gy = None
    found = []
    for quantizer in (None, Halving()):
        layer = make(kind, quantizer)
        layer.to_device(device)
        layer.cleargrads()
        variable = chainer.Variable(x)
        y = layer(variable)
        if gy is None:
            gy = device.send(numpy.random.normal(size=y.shape).astype('f'))
        y.grad = gy
        y.backward()
        found.append([to_cpu(a) for a in (
            y, variable.grad, layer.W.grad, layer.b.grad)])
    plain, halved = found
    numpy.testing.assert_array_equal(plain[0], halved[0])
    for a, b in zip(plain[1:], halved[1:]):
        numpy.testing.assert_allclose(b, a / 2, 1e-5, 1e-6)


def test_the_gradient_of_a_residual_stays(device, x):
    layer = make('convolution', Halving())
    layer.to_device(device)
    residual = chainer.Variable(device.send(
        numpy.random.normal(size=(4, 5, 2, 2)).astype('f')))
    y = layer(x, residual=residual)
    numpy.testing.assert_allclose(
        to_cpu(y), to_cpu(layer(x)) + to_cpu(residual), 1e-5, 1e-6)
    y.grad = device.xp.ones_like(y.array)
    y.backward()
    assert bool((residual.grad == 1).all())


def test_the_fast_kernels_are_kept(monkeypatch, x):
    """The convolution and the linear function are those without it."""
    called = []

    def record(name):
        function = getattr(functions, name)

        def recording(*args, **kwargs):
            called.append(name)
            return function(*args, **kwargs)
        monkeypatch.setattr(functions, name, recording)

    record('convolution_2d')
    record('binary_linear')
    x = to_cpu(x)
    for kind in ('linear', 'convolution'):
        make(kind, quantizers.DoReFaGradient(6))(x)
    assert called == ['binary_linear', 'convolution_2d']


def test_dorefa_gradients_in_a_layer(device, x):
    """Of one example the bias has the quantized gradient itself."""
    layer = make('linear', quantizers.DoReFaGradient(2))
    layer.to_device(device)
    layer.cleargrads()
    y = layer(x[:1])
    gy = numpy.array([[.1, -.7, 3, -1.5, .2]], 'f')
    y.grad = device.send(gy)
    y.backward()
    found = to_cpu(layer.b.grad)
    # the levels are -3, -1, 1 and 3; each goes to one of its neighbours
    assert abs(abs(abs(found) - 2) - 1).max() < 1e-6
    assert found[2] > 0 and (abs(found - gy[0]) <= 2).all()
