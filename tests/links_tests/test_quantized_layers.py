"""The quantized layers."""

import functools

import chainer
import chainer.testing
from chainer import functions as F
from chainer import links as L
import numpy
import pytest

from quantized_net import functions
from quantized_net import links
from quantized_net import quantizers


def make(kind, **options):
    if kind == 'linear':
        return links.QuantizedLinear(12, 5, **options)
    return links.QuantizedConvolution2D(3, 5, 2, stride=1, pad=1, **options)


def ordinary(kind):
    if kind == 'linear':
        return L.Linear(12, 5)
    return L.Convolution2D(3, 5, 2, stride=1, pad=1)


def assert_close(a, b):
    a, b = [getattr(v, 'array', v) for v in (a, b)]
    chainer.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


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
@pytest.mark.parametrize('make_quantizer', [
    quantizers.Sign, quantizers.TTQ,
    functools.partial(quantizers.TTQ, scales='relative')])
def test_copies_have_their_own_quantizer(kind, mode, make_quantizer):
    layer = make(kind, weight_quantizer=make_quantizer())
    layer.weight_quantizer.initialize_from(layer.W.array)
    for param in layer.weight_quantizer.params():
        param.array[...] = .25
    copied = layer.copy(mode)
    assert copied.weight_quantizer is not layer.weight_quantizer
    assert (copied.W.array == layer.W.array).all() == (mode != 'init')
    for old, new in zip(layer.weight_quantizer.params(),
                        copied.weight_quantizer.params()):
        assert new is not old
        assert float(new.array) == (1 if mode == 'init' else .25)
        assert (new.array is old.array) == (mode == 'share')
    assert copied.weight_quantizer.initialized == (
        mode != 'init' or not getattr(
            layer.weight_quantizer, 'relative', False))
    repeated = layer.repeat(2)
    assert repeated[0].weight_quantizer is not repeated[1].weight_quantizer


@pytest.mark.parametrize('gradient', [None, quantizers.LogQuant])
@pytest.mark.parametrize('options', [
    {'dilate': 2, 'pad': 2}, {'groups': 2}, {'stride': 2, 'pad': (1, 0)},
    {'groups': 2, 'dilate': (1, 2), 'stride': (2, 1)}])
def test_options_of_a_convolution(device, gradient, options):
    layer = links.QuantizedConvolution2D(
        4, 6, 3, weight_quantizer=quantizers.Sign(clip_value=None),
        gradient_quantizer=gradient and gradient(clip_value=None), **options)
    layer.to_device(device)
    gradient = layer.gradient_quantizer or (lambda v: v)
    x = chainer.Variable(device.send(
        numpy.random.uniform(-1, 1, (2, 4, 7, 6)).astype('f')))
    y = layer(x)
    # Chainer's, fed with what the backward pass is to see
    W = chainer.Variable(device.xp.sign(layer.W.array))
    inputs = chainer.Variable(gradient(x).array.copy())
    expected = F.convolution_2d(x.array, W, layer.b, **options)
    assert_close(y, expected)
    gy = device.send(numpy.random.uniform(-1, 1, y.shape).astype('f'))
    expected = F.convolution_2d(inputs, W, layer.b, **options)
    expected.grad = getattr(gradient(gy), 'array', gy)
    expected.backward()
    layer.cleargrads()
    y.grad = gy
    y.backward()
    assert_close(x.grad, inputs.grad)
    assert_close(layer.W.grad, W.grad)
    assert_close(layer.b.grad, gy.sum(axis=(0, 2, 3)))


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
    found = layer(x.copy())
    F.sum(found * found).backward()
    gW = layer.W.grad.copy()
    layer.cleargrads()
    # what the forward has used, also where it was random
    inputs = layer.quantize_input(chainer.Variable(x.copy()))
    expected = F.linear(inputs, layer.quantized_W, layer.b)
    chainer.testing.assert_allclose(
        found.array, expected.array, rtol=1e-5, atol=1e-5)
    F.sum(expected * expected).backward()
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
