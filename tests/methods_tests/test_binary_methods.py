"""BinaryConnect and BNN: their recipes, as the options say them."""

import chainer
from chainer import functions as F
from chainer import links as L
import numpy
import pytest

from quantized_net import errors
from quantized_net import functions
from quantized_net import links
from quantized_net import methods
from quantized_net import models
from quantized_net import optimizers
from quantized_net import quantizers


def options_of(name, **values):
    options = methods.get(name).default_options()
    vars(options).update(values)
    return options


@pytest.mark.parametrize('name', ['bnn', 'binaryconnect'])
def test_losses(name):
    method = methods.get(name)
    assert method.loss_function(options_of(name)) is F.softmax_cross_entropy
    assert method.loss_function(options_of(name, loss='square-hinge')) is (
        functions.square_hinge)
    # of the others there is one
    assert methods.get('ttq').loss_function(None) is F.softmax_cross_entropy


@pytest.mark.parametrize('name', ['bnn', 'binaryconnect'])
def test_uniform_weights_at_the_start(name):
    method = methods.get(name)
    model = models.MLP(50, relu=method.relu)
    before = model.l3.W.array.copy()
    method.quantize(model, options_of(name, latent_init='uniform'),
                    skip=('l3',))
    W = model.l2.W.array
    assert W.dtype == numpy.float32 and abs(W).max() <= 1
    # of 2,500: five standard deviations of the mean and of the variance
    assert abs(W.mean()) < 5 / 3 ** .5 / 50
    assert abs(W.var() - 1 / 3) < 5 * (4 / 45) ** .5 / 50
    assert (model.l3.W.array == before).all()
    with pytest.raises(errors.UserError, match='says nothing with --init'):
        method.check(options_of(name, latent_init='uniform', init='a.npz'))


def test_binaryconnect_quantizes_weights_alone():
    model = models.MLP(5)
    methods.get('binaryconnect').quantize(model)
    for layer in (model.l1, model.l2, model.l3):
        assert type(layer.weight_quantizer) is quantizers.Sign
        assert layer.weight_quantizer.clip_value is None
        assert layer.input_quantizer is None


@pytest.mark.parametrize('name,stochastic,weight,activation', [
    ('binaryconnect', True, quantizers.StochasticSign, type(None)),
    ('bnn', ['weights'], quantizers.StochasticSign, quantizers.Sign),
    ('bnn', ['activations'], quantizers.Sign, quantizers.StochasticSign),
    ('bnn', ['weights', 'activations'], quantizers.StochasticSign,
     quantizers.StochasticSign)])
def test_what_is_drawn(name, stochastic, weight, activation):
    method = methods.get(name)
    model = models.MLP(5, relu=method.relu)
    options = options_of(name, stochastic=stochastic)
    method.quantize(model, options)
    assert type(model.l2.weight_quantizer) is weight
    assert type(model.l2.input_quantizer) is activation
    assert model.l1.input_quantizer is None
    options.anneal = .5
    if weight is quantizers.StochasticSign:
        with pytest.raises(errors.UserError, match='--anneal says nothing'):
            method.check(options)
    else:
        method.check(options)


def test_the_layer_draws_once_a_forward(device):
    """What the forward used can be read until the next one."""
    layer = links.QuantizedLinear(
        30, 20, weight_quantizer=quantizers.StochasticSign())
    layer.W.array[...] = 0
    layer.to_device(device)
    x = device.send(numpy.eye(30, dtype='f'))
    signs = []
    for _ in range(2):
        y = layer(x).array  # row k is column k of the weight
        W = layer.quantized_W.array
        assert bool((abs(y - (W.T + layer.b.array)) < 1e-6).all())
        assert bool((layer.quantized_W.array == W).all())
        codes, codebook = layer.weight_quantizer.encode(layer.W.array)
        assert bool((quantizers.decode(codes, codebook) == W).all())
        signs.append(W.copy())
    assert bool((signs[0] != signs[1]).any())
    with chainer.using_config('train', False):
        assert bool((layer.quantized_W.array == 1).all())


def test_shift_based_batch_normalization():
    model = models.MLP(5, relu=False)
    methods.get('bnn').quantize(model, options_of('bnn', shift_bn=True))
    assert type(model.bn2) is links.ShiftBatchNormalization


@pytest.mark.parametrize('optimizer,expected', [
    ('adam', (784 + 24) / 1.5), ('shift-adamax', 32 ** 2)])
def test_rates(optimizer, expected):
    model = L.Classifier(models.MLP(24))
    options = options_of('binaryconnect', glorot_rates=True, clip='weights',
                         optimizer=optimizer)
    method = methods.get('binaryconnect')
    method.quantize(model.predictor, options)
    made = (optimizers.Adam if optimizer == 'adam'
            else optimizers.ShiftAdaMax)().setup(model)
    method.set_up(made, options)
    rule = model.predictor.l1.W.update_rule
    assert rule.hyperparam.eta ** 2 == pytest.approx(expected)
    assert model.predictor.bn1.gamma.update_rule.hyperparam.eta == 1


def test_the_recipe_learns(device):
    """The paper's, on separable points; weights stay within [-1, 1]."""
    options = options_of(
        'bnn', loss='square-hinge', glorot_rates=True, latent_init='uniform',
        stochastic=['activations'], shift_bn=True, clip='weights',
        optimizer='shift-adamax')
    method = methods.get('bnn')
    model = L.Classifier(
        models.MLP(64, 3, 20, relu=method.relu, n_hidden=3),
        method.loss_function(options))
    method.quantize(model.predictor, options)
    model.to_device(device)
    optimizer = optimizers.ShiftAdaMax(2 ** -6).setup(model)
    method.set_up(optimizer, options)
    x = numpy.random.normal(size=(120, 20)).astype('f')
    t = x[:, :3].argmax(axis=1).astype('i')
    x, t = device.send(x), device.send(t)
    losses = []
    for _ in range(40):
        optimizer.update(model, x, t)
        losses.append(float(model.loss.array))
        W = model.predictor.l2.W.array
        assert float(abs(W).max()) <= 1
    assert numpy.mean(losses[-5:]) < .5 * losses[0]
