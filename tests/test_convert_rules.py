"""quantize with rules and patterns; what stays float, and why."""

import copy
import pickle

import chainer
from chainer import links as L
import numpy
import pytest

import quantized_net
from quantized_net import convert
from quantized_net import quantizers

MAKERS = {
    'sign': quantizers.Sign, 'stochastic': quantizers.StochasticSign,
    'linear': quantizers.LinearQuant, 'log': quantizers.LogQuant,
    'ttq': quantizers.TTQ, 'twn': quantizers.TWN,
    'fixed': lambda: quantizers.TTQ(learn_scales=False),
    'relative': lambda: quantizers.TTQ(scales='relative'),
}


def make():
    return chainer.Chain(
        conv1=L.Convolution2D(1, 2, 3), conv2=L.Convolution2D(2, 2, 3),
        up=L.Deconvolution2D(2, 2, 3), embed=L.EmbedID(3, 2),
        block=chainer.Chain(fc1=L.Linear(3, 2), fc2=L.Linear(2, 2)))


def actions(report):
    return {row.path: row.action for row in report}


def test_every_link_with_a_weight_is_told():
    found = actions(quantized_net.quantize(make(), 'ttq', skip=('conv2',)))
    assert list(found) == ['conv1', 'conv2', 'up', 'embed', 'block/fc1',
                           'block/fc2']
    assert found['conv1'].startswith('quantized: TTQ(')
    assert found['conv2'] == 'skipped'
    for path in ('up', 'embed'):
        assert found[path] == 'left float: no Linear and no Convolution2D'
    # skip knows them, too
    assert actions(quantized_net.quantize(make(), 'ttq', skip=('up',)))[
        'up'] == 'skipped'


def test_patterns():
    model = make()
    report = quantized_net.quantize(model, {
        'conv1': None, 'conv*': 'ttq', 'block/fc1': ('linear', {'bits': 4}),
        'block': lambda path, link: quantizers.Sign()})
    assert type(model.conv1) is L.Convolution2D
    assert isinstance(model.conv2.weight_quantizer, quantizers.TTQ)
    assert model.block.fc1.weight_quantizer.bits == 4
    # the first that matches counts; a pattern matches a leading part
    assert type(model.block.fc2.weight_quantizer) is quantizers.Sign
    assert actions(report)['conv1'] == 'left float: by the method'


def test_layers_that_no_pattern_matches_stay_float():
    model = make()
    report = quantized_net.quantize(model, {'conv2': quantizers.TWN})
    assert actions(report)['block/fc1'] == 'left float: by the method'
    assert type(model.block.fc1) is L.Linear


@pytest.mark.parametrize('method,options,message', [
    ({'conv9': 'ttq'}, {}, "'conv9' matches no layer.*conv1, conv2"),
    ({'conv1': 'ttt'}, {}, "unknown method 'ttt'"),
    ({'conv1': ('linear', {'bits': 99})}, {}, 'linear: bits must be'),
    ({'conv1': None}, {}, 'no Linear or Convolution2D layer to quantize'),
    (None, {}, 'no Linear or Convolution2D layer to quantize'),
    (7, {}, '7 is no name'),
    ('ttq', {'treshold': .1}, "ttq has no option 'treshold'; there are: "
     'threshold, sparsity')])
def test_refusals(method, options, message):
    model = make()
    with pytest.raises(quantized_net.UserError, match=message):
        quantized_net.quantize(model, method, **options)
    assert all(type(link) not in (
        quantized_net.QuantizedLinear, quantized_net.QuantizedConvolution2D)
        for link in model.links())


def test_rules_may_give_all_three_quantizers():
    model = make()
    report = quantized_net.quantize(
        model, lambda path, link: convert.Quantizers(
            quantizers.Sign(), None if path == 'conv1' else quantizers.Sign(),
            quantizers.LogQuant()) if path.startswith('conv') else None)
    assert model.conv1.input_quantizer is None
    assert isinstance(model.conv2.input_quantizer, quantizers.Sign)
    assert isinstance(model.conv2.gradient_quantizer, quantizers.LogQuant)
    assert 'input by Sign(' in actions(report)['conv2']
    names = {name for name, _ in model.namedlinks()}
    assert '/conv2/input_quantizer' in names


def test_inputs_alone():
    model = make()
    quantized_net.quantize(model, lambda path, link: convert.Quantizers(
        input=quantizers.Sign()))
    assert model.conv1.weight_quantizer is None
    assert model.conv1.quantized_W is model.conv1.W
    # its weights can be quantized later; its input's quantizer stays
    before = model.conv1.input_quantizer
    quantized_net.quantize(model, 'twn')
    assert model.conv1.input_quantizer is before


def test_one_quantizer_for_two_layers_is_refused():
    one = quantizers.TTQ()
    model = make()
    with pytest.raises(quantized_net.UserError,
                       match='layer conv2: its quantizer is that of conv1'):
        quantized_net.quantize(model, lambda: one)
    assert type(model.conv1) is L.Convolution2D
    layer = quantized_net.QuantizedLinear(2, 2, weight_quantizer=one)
    with pytest.raises(quantized_net.UserError, match='TTQ is in a layer'):
        quantized_net.QuantizedLinear(2, 2, weight_quantizer=one)
    with pytest.raises(quantized_net.UserError, match='another layer'):
        quantized_net.quantize(model, {'conv1': lambda: one})
    # copies are others
    for other in (copy.deepcopy(one), one.copy(), pickle.loads(
            pickle.dumps(layer)).weight_quantizer.copy()):
        quantized_net.QuantizedLinear(2, 2, weight_quantizer=other)
    both = quantizers.Sign()
    with pytest.raises(quantized_net.UserError, match='input_quantizer'):
        quantized_net.QuantizedLinear(
            2, 2, weight_quantizer=both, input_quantizer=both)


@pytest.mark.parametrize('name', sorted(MAKERS))
@pytest.mark.parametrize('n_in', [4, None])
def test_copies_and_repeats(name, n_in):
    layer = quantized_net.QuantizedLinear(
        n_in, 4, weight_quantizer=MAKERS[name]())
    x = numpy.random.normal(size=(2, 4)).astype('f')
    copies = [layer.copy(mode) for mode in ('init', 'copy', 'share')]
    copies += [copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))]
    copies += list(layer.repeat(2)) + list(
        chainer.Sequential(layer).repeat(2, mode='copy'))
    for other in copies:
        assert other(x).shape == (2, 4)
    if n_in is not None:
        drawn, copied = copies[:2]
        assert (drawn.W.array != layer.W.array).any()
        assert (copied.W.array == layer.W.array).all()
    for param in layer.weight_quantizer.params():
        assert float(param.array) == 1


def test_weights_that_are_not_finite_are_refused_by_name():
    model = make()
    model.conv2.W.array[0, 0, 0, 0] = numpy.nan
    with pytest.raises(quantized_net.UserError, match='layer conv2.*NaN'):
        quantized_net.quantize(model, 'ttq')


def test_what_needs_no_argument_is_no_rule():
    def ternary(threshold=.3, sparsity=None, *, scales='absolute'):
        return quantizers.TTQ(threshold, sparsity, scales=scales)

    model = chainer.Sequential(L.Linear(4, 4), L.Linear(4, 4))
    quantized_net.quantize(model, ternary)
    assert [layer.weight_quantizer.threshold for layer in model] == [.3, .3]
    assert model[0].weight_quantizer is not model[1].weight_quantizer


def test_the_report_s_columns():
    model = chainer.Sequential(L.Linear(4, 4), L.Deconvolution2D(4, 4, 3))
    report = quantized_net.quantize(model, quantizers.Sign)
    assert str(report).splitlines() == [
        '0  Linear           quantized: Sign(clip_value=1.0)',
        '1  Deconvolution2D  left float: no Linear and no Convolution2D']
