"""What the methods say, and what they do to a network."""

import argparse

import chainer
from chainer import links as L
import numpy
import pytest

from quantized_net import convert
from quantized_net import errors
from quantized_net import methods
from quantized_net import models
from quantized_net import quantizers

# mixed has no quantizers of its own: test_mixed.py
NAMES = [name for name in methods.names() if name != 'mixed']


def test_names():
    assert set(NAMES) >= {'float', 'qnn', 'bnn', 'ttq', 'twn', 'bwn',
                           'binaryconnect', 'inq', 'fixed_point', 'buckets',
                           'points'}
    with pytest.raises(errors.UserError, match='xnor.*bnn, .*bwn, .*float'):
        methods.get('xnor')


@pytest.mark.parametrize('name', NAMES)
def test_what_each_says(name):
    method = methods.get(name)
    assert method.name == name and method.title
    assert not method.quantizes or 'arXiv:' in method.source
    assert method.clip in ('weights', 'all', 'none')
    options = method.default_options()
    method.check(options)
    made = method.weight_quantizer(options)
    if method.quantizes:
        assert isinstance(made, quantizers.Quantizer)
        assert made is not method.weight_quantizer(options)
    else:
        assert made is None and not method.starts_from_float


@pytest.mark.parametrize('name', NAMES)
def test_a_network_of_each_trains(name, device):
    method = methods.get(name)
    model = L.Classifier(models.MLP(8, 10, relu=method.relu), method.loss)
    report = method.quantize(model.predictor)
    assert (report is None) == (not method.quantizes)
    model.to_device(device)
    options = method.default_options()
    options.clip = method.clip
    optimizer = chainer.optimizers.Adam().setup(model)
    method.set_up(optimizer, options)
    x = device.send(numpy.random.uniform(size=(6, 784)).astype('f'))
    t = device.send(numpy.arange(6).astype('i'))
    layer = model.predictor.l2
    before = [param.array.copy() for param in layer.params()]
    optimizer.update(model, x, t)
    assert any(bool((param.array != old).any())
               for param, old in zip(layer.params(), before))


@pytest.mark.parametrize('name,first,second', [
    ('qnn', (quantizers.LogQuant, None, quantizers.LogQuant),
     (quantizers.LogQuant,) * 3),
    ('bnn', (quantizers.Sign, None, None),
     (quantizers.Sign, quantizers.Sign, None))])
def test_quantizers_of_the_layers(name, first, second):
    model = models.MLP(8, 10, relu=methods.get(name).relu)
    methods.get(name).quantize(model)
    for layer, expected in ((model.l1, first), (model.l2, second),
                            (model.l3, second)):
        found = [layer.weight_quantizer, layer.input_quantizer,
                 layer.gradient_quantizer]
        assert [q and type(q) for q in found] == list(expected)
        # the gradient of the weights passes everywhere
        assert found[0].clip_value is None


def test_networks_without_relu():
    assert not methods.get('bnn').relu and methods.get('qnn').relu
    model = models.MLP(4, 2, 3, relu=False)
    x = numpy.random.normal(size=(5, 3)).astype('f')
    h = model.bn2(model.l2(model.bn1(model.l1(x))))
    numpy.testing.assert_allclose(
        model(x).array, model.bn3(model.l3(h)).array, 1e-5, 1e-5)


def test_skipped_layers():
    model = models.MLP(4)
    methods.get('bnn').quantize(model, skip=('l3',))
    assert not hasattr(model.l3, 'weight_quantizer')
    assert model.l2.weight_quantizer is not None


def options_of(**values):
    options = methods.get('ttq').default_options()
    vars(options).update(values)
    return options


@pytest.mark.parametrize('values,message', [
    ({'threshold': 0.}, 'threshold'), ({'sparsity': 1.}, 'sparsity'),
    ({'sweep': [.5, -1]}, '--sweep -1'),
    ({'fixed_scales': True, 'reduction': 'mean'}, '--reduction mean'),
    ({'fixed_scales': True, 'scale_lr': .5}, '--scale-lr 0.5')])
def test_options_that_ttq_refuses(values, message):
    with pytest.raises(errors.UserError, match=message):
        methods.get('ttq').check(options_of(**values))


def test_rate_of_the_scales():
    found = []
    for factor in (1., .25):
        model = models.MLP(4)
        options = options_of(scale_lr=factor, clip='none')
        methods.get('ttq').quantize(model, options)
        optimizer = chainer.optimizers.SGD(1.).setup(model)
        methods.get('ttq').set_up(optimizer, options)
        for param in model.params():
            param.grad = numpy.ones_like(param.array)
        optimizer.update()
        found.append(float(model.l1.weight_quantizer.Wp.array))
    assert found == pytest.approx([0, .75])


def test_scales_that_ttq_trains():
    made = methods.get('ttq').weight_quantizer(options_of(scales='relative'))
    assert {name for name, _ in made.namedparams()} == {'/s_p', '/s_n'}


def test_contract_of_the_base_class():
    method = methods.Method()
    assert method.rule(argparse.Namespace(), None)() is None
    assert method.extensions(None, '', None) == []
    assert issubclass(convert.Quantizers, tuple)


@pytest.mark.parametrize('scales', ['absolute', 'relative'])
@pytest.mark.parametrize('is_kept', [False, True])
def test_scales_that_stay_positive(scales, is_kept, device):
    """Where a step would take one of them below zero."""
    options = options_of(scales=scales, positive_scales=is_kept)
    options.clip = 'none'
    model = L.Linear(4, 3)
    chain = chainer.Chain(fc=model)
    methods.get('ttq').quantize(chain, options)
    chain.to_device(device)
    optimizer = chainer.optimizers.MomentumSGD(.1).setup(chain)
    methods.get('ttq').set_up(optimizer, options)
    quantizer = chain.fc.weight_quantizer
    quantizer.initialize_from(chain.fc.W.array)
    for param in quantizer.params():
        param.grad = device.send(numpy.full((), 20.4, 'f'))
    chain.fc.W.grad = device.xp.zeros_like(chain.fc.W.array)
    chain.fc.b.grad = device.send(numpy.full(3, 1, 'f'))
    optimizer.update()
    values = [float(param.array) for param in quantizer.params()]
    assert values == pytest.approx([1e-4] * 2 if is_kept else [-1.04] * 2)
    # nothing else is kept
    assert float(chain.fc.b.array.min()) < 0
