"""TTQ with relative scales: its formulas, and where its values begin."""

import chainer
from chainer import functions as F
from chainer import links as L
import numpy
import pytest

import quantized_net
from quantized_net import quantizers
from testing import to_cpu


def make(device, W, s_p=.8, s_n=1.3, **options):
    quantizer = quantizers.TTQ(.3, scales='relative', **options)
    for scale, value in ((quantizer.s_p, s_p), (quantizer.s_n, s_n)):
        getattr(scale, 'array', scale)[...] = value
    quantizer.to_device(device)
    return quantizer


def parts(W, sparsity=None):
    """The two index sets and the two means, in float64."""
    W = W.astype('d')
    delta = abs(W).max() * .3 if sparsity is None else numpy.sort(
        abs(W).ravel())[int(round(sparsity * W.size)) - 1]
    positive, negative = W > delta, W < -delta
    return positive, negative, W[positive].mean(), -W[negative].mean()


@pytest.mark.parametrize('dtype', ['e', 'f', 'd'])
@pytest.mark.parametrize('gradient', ['true', 'paper_eq7'])
@pytest.mark.parametrize('reduction', ['sum', 'mean'])
@pytest.mark.parametrize('sparsity', [None, .5])
@pytest.mark.parametrize('learn_scales', [True, False])
def test_formulas(device, dtype, gradient, reduction, sparsity, learn_scales):
    W = numpy.random.uniform(-1, 1, (5, 7)).astype(dtype)
    g = numpy.random.uniform(-1, 1, W.shape).astype(dtype)
    positive, negative, a_p, a_n = parts(W, sparsity)
    quantizer = make(
        device, W, gradient_of_Wn=gradient, reduction=reduction,
        sparsity=sparsity, learn_scales=learn_scales)
    variable = chainer.Parameter(device.send(W))
    quantizer.initialize_from(variable.array)
    y = quantizer(variable)
    tolerance = 2e-3 if dtype == 'e' else 1e-5
    numpy.testing.assert_allclose(
        to_cpu(y), positive * a_p * .8 - negative * a_n * 1.3, tolerance)
    variable.cleargrad()
    quantizer.cleargrads()
    y.grad = device.send(g)
    y.backward()
    numpy.testing.assert_allclose(
        to_cpu(variable.grad),
        g * numpy.where(positive, .8, numpy.where(negative, 1.3, 1)),
        tolerance)
    if not learn_scales:
        assert not list(quantizer.params())
        return
    reduce = numpy.sum if reduction == 'sum' else numpy.mean
    sign = 1 if gradient == 'paper_eq7' else -1
    tolerance = 2e-2 if dtype == 'e' else 1e-5
    g = g.astype('d')
    for scale, expected in ((quantizer.s_p, a_p * reduce(g[positive])),
                            (quantizer.s_n, sign * a_n * reduce(g[negative]))):
        numpy.testing.assert_allclose(
            to_cpu(scale.grad), expected, tolerance, tolerance)


def test_where_no_weight_is_negative(device):
    quantizer = make(device, None)
    W = device.send(numpy.array([.5, 1, 0], 'f'))
    quantizer.initialize_from(W)
    assert float(quantizer.a_p) == .75
    assert float(quantizer.a_n) == 1


def test_float16_does_not_overflow(device):
    quantizer = make(device, None)
    quantizer.initialize_from(device.send(numpy.full((400, 400), 8, 'e')))
    assert float(quantizer.a_p) == 8


def make_layer(device):
    layer = quantized_net.QuantizedLinear(
        6, 4, weight_quantizer=quantizers.TTQ(scales='relative'))
    layer.to_device(device)
    return layer


@pytest.fixture
def x(device):
    return device.send(numpy.random.uniform(-1, 1, (3, 6)).astype('f'))


def test_only_a_forward_in_training_stores_the_first_values(device, x):
    layer = make_layer(device)
    quantizer = layer.weight_quantizer
    expected = [quantizer.scales(layer.W.array)]
    with chainer.using_config('train', False):
        y = layer(x).array
    W = layer.quantized_W.array
    quantizer.encode(layer.W.array)
    quantized_net.summary(layer)
    assert not quantizer.initialized
    assert float(quantizer.a_p) == 1
    assert bool((layer(x).array == y).all())
    assert quantizer.initialized
    assert bool((layer.quantized_W.array == W).all())
    expected.append(quantizer.scales(layer.W.array))
    assert expected[0] == expected[1]
    # once only
    layer.W.array *= 2
    layer(x)
    assert quantizer.scales(layer.W.array) == expected[0]


@pytest.mark.parametrize('quantize_first', [True, False])
@pytest.mark.parametrize('run_before', [True, False])
def test_it_starts_from_loaded_weights(
        tmp_path, x, device, quantize_first, run_before):
    path = str(tmp_path / 'float')
    chainer.serializers.save_npz(path, L.Linear(
        6, 4, initialW=numpy.arange(24).reshape(4, 6) / 3))
    layer = L.Linear(6, 4)
    layer.to_device(device)
    if quantize_first:
        quantized_net.quantize(layer, 'ttq', scales='relative')
        if run_before:
            layer(x)  # in training mode: random weights are no start
    quantized_net.load_float(path, layer)
    if not quantize_first:
        quantized_net.quantize(layer, 'ttq', scales='relative')
    layer(x)
    assert float(layer.weight_quantizer.a_p) == pytest.approx(
        numpy.arange(2, 24).mean() / 3, rel=1e-6)


def test_snapshots_hold_the_first_values(tmp_path, x, device):
    layer = make_layer(device)
    layer(x)
    path = str(tmp_path / 'snapshot')
    chainer.serializers.save_npz(path, layer)
    other = make_layer(device)
    for load in (chainer.serializers.load_npz, quantized_net.load_float):
        load(path, other)
        assert other.weight_quantizer.initialized is True
        other.W.array *= 3
        other(x)
        assert float(other.weight_quantizer.a_p) == float(
            layer.weight_quantizer.a_p)


@pytest.mark.parametrize('mode', ['share', 'copy', 'init'])
@pytest.mark.parametrize('run_before', [True, False])
def test_copies(x, device, mode, run_before):
    layer = make_layer(device)
    if run_before:
        layer(x)
    copied = layer.copy(mode)
    first, second = layer.weight_quantizer, copied.weight_quantizer
    assert second.initialized == (run_before and mode != 'init')
    copied(x)
    assert first.initialized == run_before
    assert (float(second.a_p) == first.scales(layer.W.array)[0]) == (
        mode != 'init')


def test_an_input_quantizer_sees_the_input(x, device):
    class FromData(quantizers.Sign):

        def __init__(self):
            super(FromData, self).__init__()
            self.seen = []

        def initialize_from(self, array):
            self.seen.append(array)

    for layer, batch in (
            (quantized_net.QuantizedLinear(
                None, 4, weight_quantizer=FromData(),
                input_quantizer=FromData()), x),
            (quantized_net.QuantizedConvolution2D(
                None, 4, 1, weight_quantizer=FromData(),
                input_quantizer=FromData()), x[:, :, None, None])):
        layer.to_device(device)
        with chainer.using_config('train', False):
            layer(batch)
        assert not layer.input_quantizer.seen
        F.sum(layer(batch))
        assert layer.input_quantizer.seen == [batch]
        assert layer.weight_quantizer.seen == [layer.W.array]
