"""The quantized layers."""

import chainer
import chainer.testing
from chainer import functions as F
from chainer import links as L
import numpy
import pytest

from quantized_net import functions
from quantized_net import links
from quantized_net import quantizers
from quantized_net.training import device as devices


def make(kind, **options):
    if kind == 'linear':
        return links.QuantizedLinear(12, 5, **options)
    return links.QuantizedConvolution2D(3, 5, 2, stride=1, pad=1, **options)


def ordinary(kind):
    if kind == 'linear':
        return L.Linear(12, 5)
    return L.Convolution2D(3, 5, 2, stride=1, pad=1)


def apply_float(kind, x, W, b):
    if kind == 'linear':
        return F.linear(x, W, b)
    return F.convolution_2d(x, W, b, 1, 1)


KINDS = ['linear', 'convolution']


@pytest.fixture
def x(device):
    return device.send(
        numpy.random.uniform(-2, 2, (4, 3, 2, 2)).astype('f'))


@pytest.mark.parametrize('kind', KINDS)
def test_without_quantizers_it_is_the_ordinary_layer(device, kind, x):
    layer = make(kind)
    layer.to_device(device)
    assert layer.quantized_W is layer.W
    chainer.testing.assert_allclose(
        layer(x).array, apply_float(kind, x, layer.W, layer.b).array,
        rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('gradient', [None, quantizers.LogQuant])
def test_forward_and_gradient(device, kind, gradient, x):
    layer = make(kind, weight_quantizer=quantizers.Sign(),
                 input_quantizer=quantizers.LinearQuant(4),
                 gradient_quantizer=gradient and gradient(clip_value=None))
    layer.to_device(device)
    layer.cleargrads()
    variable = chainer.Variable(x)
    y = layer(variable)
    expected = apply_float(
        kind, layer.input_quantizer(x), device.xp.sign(layer.W.array),
        layer.b)
    assert bool((y.array == expected.array).all())
    F.sum(y * y).backward()
    assert variable.grad.shape == x.shape
    assert float(abs(layer.W.grad).max()) > 0
    # the input's gradient is cut off where the input is clipped
    assert bool((variable.grad[abs(x) > 1] == 0).all())


@pytest.mark.parametrize('kind', KINDS)
def test_a_float_snapshot_loads(tmp_path, kind):
    float_model = chainer.Sequential(ordinary(kind))
    quantized = chainer.Sequential(
        make(kind, weight_quantizer=quantizers.Sign()))
    path = str(tmp_path / 'model')
    chainer.serializers.save_npz(path, float_model)
    chainer.serializers.load_npz(path, quantized)
    assert (quantized[0].W.array == float_model[0].W.array).all()


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('mode', ['share', 'copy', 'init'])
def test_copies_have_their_own_quantizer(kind, mode):
    layer = make(kind, weight_quantizer=quantizers.Sign())
    copied = layer.copy(mode)
    assert copied.weight_quantizer is not layer.weight_quantizer
    assert (copied.W.array == layer.W.array).all() == (mode != 'init')


@pytest.mark.parametrize('layer,shape', [
    (links.QuantizedLinear(5, weight_quantizer=quantizers.Sign()), (2, 3)),
    (links.QuantizedLinear(None, 5, gradient_quantizer=quantizers.LogQuant()),
     (2, 3)),
    (links.QuantizedConvolution2D(
        None, 5, 3, weight_quantizer=quantizers.Sign()), (2, 3, 4, 4))])
def test_input_size_from_the_first_input(layer, shape):
    assert layer(numpy.zeros(shape, 'f')).shape[:2] == (2, 5)


def test_two_batch_axes():
    layer = links.QuantizedLinear(
        3, 5, weight_quantizer=quantizers.Sign(),
        gradient_quantizer=quantizers.LogQuant())
    x = numpy.random.uniform(-1, 1, (2, 4, 3)).astype('f')
    assert layer(x, n_batch_axes=2).shape == (2, 4, 5)


def test_it_says_what_it_is():
    text = str(links.QuantizedLinear(
        3, 5, weight_quantizer=quantizers.Sign()))
    assert 'weight_quantizer' in text and 'Sign' in text


class HalfSign(quantizers.Sign):

    def forward(self, W):
        return super(HalfSign, self).forward(W) / 2


@pytest.mark.parametrize('make_quantizer', [
    quantizers.Sign, quantizers.StochasticSign, HalfSign])
@pytest.mark.parametrize('make_other', [
    lambda: None, quantizers.Sign, HalfSign])
def test_binary_weights_of_a_linear_layer(
        device, x, make_quantizer, make_other):
    layer = links.QuantizedLinear(
        12, 5, weight_quantizer=make_quantizer(),
        input_quantizer=make_other())
    layer.to_device(device)
    layer.cleargrads()
    devices.seed(device, 3)
    inputs = layer.quantize_input(chainer.Variable(x.copy()))
    W = layer.quantized_W
    expected = F.linear(inputs, W, layer.b)
    F.sum(expected * expected).backward()
    gW = layer.W.grad.copy()
    layer.cleargrads()
    devices.seed(device, 3)
    found = layer(x.copy())
    chainer.testing.assert_allclose(
        found.array, expected.array, rtol=1e-5, atol=1e-5)
    F.sum(found * found).backward()
    chainer.testing.assert_allclose(
        layer.W.grad, gW, rtol=1e-5, atol=1e-4)


def test_which_layers_have_whole_sums():
    sign, ttq, twn = quantizers.Sign, quantizers.TTQ, quantizers.TWN
    linear, log = quantizers.LinearQuant, quantizers.LogQuant
    signs = functions.Grid(1., 1)
    four = functions.Grid(.125, 8)
    for weight, inputs, expected in (
            (sign, sign, (signs, signs)), (ttq, sign, (signs, None)),
            (twn, lambda: linear(4), (four, None)),
            (lambda: linear(4), sign, (signs, four)),
            (sign, lambda: None, None), (lambda: None, sign, None),
            (log, sign, None), (sign, log, None), (HalfSign, sign, None),
            (sign, HalfSign, None), (sign, lambda: linear(9), None),
            (lambda: F.sign, sign, None), (sign, ttq, None)):
        for kind in KINDS:
            layer = make(kind, weight_quantizer=weight(),
                         input_quantizer=inputs())
            assert layer.grids == expected
    layer.weight_quantizer.inverse_slope = .5
    assert layer.grids is None
    layer = make('linear', weight_quantizer=ttq(), input_quantizer=sign())
    layer.weight_quantizer.inverse_slope = .5  # on its way to its levels
    assert layer.grids is None
    with chainer.using_config('train', False):
        assert layer.grids == (signs, None)


class HalfLinear(quantizers.LinearQuant):

    def forward(self, W):
        return super(HalfLinear, self).forward(W) / 2


def test_a_subclass_with_values_of_its_own_has_no_grid():
    assert HalfLinear(4).grid is None and HalfSign().grid is None


# Larq's own test of a binary convolution goes over these
@pytest.mark.parametrize('channels', [(16, 16), (64, 32), (512, 16)])
@pytest.mark.parametrize('weight', [
    quantizers.Sign, quantizers.TWN, quantizers.TTQ,
    lambda: quantizers.TTQ(initial_scale=.25)])
@pytest.mark.parametrize('gradient', [None, quantizers.LogQuant])
def test_next_signs_are_chainers(device, channels, weight, gradient):
    n_in, n_out = channels
    layer = links.QuantizedConvolution2D(
        n_in, n_out, 3, pad=1, nobias=True, weight_quantizer=weight(),
        input_quantizer=quantizers.Sign(),
        gradient_quantizer=gradient and gradient())
    layer.to_device(device)
    x = device.send(numpy.random.normal(size=(2, n_in, 8, 8)).astype('f'))
    y = layer(x)
    W = layer.quantized_W.array
    scale = 1.
    if weight is quantizers.TWN:
        # its scale is no power of two: Chainer's sums of whole numbers
        scale, W = abs(W).max(), device.xp.sign(W)
    expected = F.convolution_2d(layer.input_quantizer(x), W, pad=1)
    assert bool((expected.array == device.xp.rint(expected.array)).all()) or (
        weight not in (quantizers.Sign, quantizers.TWN))
    assert bool((y.array == scale * expected.array).all())
    assert bool((functions.sign(y).array
                 == functions.sign(expected).array).all())


def test_ternary_linear_with_signs_is_exact(device):
    layer = links.QuantizedLinear(
        500, 20, weight_quantizer=quantizers.TWN(),
        input_quantizer=quantizers.Sign())
    layer.to_device(device)
    x = device.send(numpy.random.normal(size=(9, 500)).astype('f'))
    W = layer.quantized_W.array
    sums = F.linear(layer.input_quantizer(x), device.xp.sign(W)).array
    assert bool((layer(x).array == abs(W).max() * sums).all())
    layer.cleargrads()
    F.sum(layer(x)).backward()
    assert float(abs(layer.W.grad).max()) > 0
