"""DoReFa and LSQ: which layers get how many bits."""

import chainer
from chainer import links as L
import numpy
import pytest

import train_mnist
from quantized_net import errors
from quantized_net import methods
from quantized_net import models
from quantized_net import quantizers


def options_of(name, **values):
    options = methods.get(name).default_options()
    vars(options).update(values)
    return options


def bits_of(model, name):
    """Of weight, input and gradient; ``None`` where there is none."""
    layer = getattr(model, name)
    return tuple(getattr(getattr(layer, kind + '_quantizer', None), 'bits',
                         None) for kind in ('weight', 'input', 'gradient'))


@pytest.mark.parametrize('values,expected', [
    ({}, [(None,) * 3, (1, 2, None), (1, 2, None), (None,) * 3]),
    ({'ends': 'same', 'gradient_bits': 6},
     [(1, None, 6), (1, 2, 6), (1, 2, 6), (1, 2, 6)]),
    ({'ends': '8', 'weight_bits': 32},
     [(8, None, None), (None, 2, None), (None, 2, None), (8, 8, None)])])
def test_bits_of_dorefa(values, expected):
    model = models.LeNet()
    methods.get('dorefa').quantize(model, options_of('dorefa', **values))
    assert [bits_of(model, name) for name in (
        'conv1', 'conv2', 'fc1', 'fc2')] == expected


@pytest.mark.parametrize('values,expected', [
    ({}, [(8, 8, None), (4, 4, None), (4, 4, None), (8, 8, None)]),
    ({'ends': 'float', 'activation_bits': 32},
     [(None,) * 3, (4, None, None), (4, None, None), (None,) * 3]),
    ({'ends': 'same', 'weight_bits': 1, 'activation_bits': 1},
     [(1, 2, None), (1, 1, None), (1, 1, None), (1, 1, None)])])
def test_bits_of_lsq(values, expected):
    model = models.LeNet()
    methods.get('lsq').quantize(model, options_of('lsq', **values))
    assert [bits_of(model, name) for name in (
        'conv1', 'conv2', 'fc1', 'fc2')] == expected
    first = getattr(model.conv1, 'input_quantizer', None)
    assert first is None or first.low < 0  # an image may be negative


@pytest.mark.parametrize('values,expected', [
    ({}, (8, 8, 8)),  # as float32 has exponents
    ({'weight_bits': 4, 'activation_bits': 3, 'gradient_bits': 6},
     (4, 3, 6)),
    ({'spacing': 'linear', 'weight_bits': 12}, (12, 8, 8))])
def test_bits_of_qnn(values, expected):
    model = models.MLP(4)
    methods.get('qnn').quantize(model, options_of('qnn', **values))
    assert bits_of(model, 'l2') == expected
    assert bits_of(model, 'l1')[1] is None
    kind = quantizers.LinearQuant if 'spacing' in values else (
        quantizers.LogQuant)
    assert type(model.l2.weight_quantizer) is kind
    assert type(model.l2.gradient_quantizer) is quantizers.LogQuant
    lowest = model.l2.weight_quantizer.levels(numpy.zeros(1, 'f'))[0]
    assert len(lowest) <= 2 ** expected[0]


@pytest.mark.parametrize('values', [
    {'weight_bits': 1}, {'activation_bits': 9}, {'gradient_bits': 9},
    {'spacing': 'linear', 'weight_bits': 17}])
def test_what_qnn_refuses(values):
    with pytest.raises(errors.UserError, match='bits must be from 2 to'):
        methods.get('qnn').check(options_of('qnn', **values))


@pytest.mark.parametrize('name', ['dorefa', 'lsq'])
@pytest.mark.parametrize('values,message', [
    ({'weight_bits': 0}, '--weight-bits 0: from 1 to 16, or 32'),
    ({'activation_bits': 17}, '--activation-bits 17'),
    ({'weight_bits': 32, 'activation_bits': 32}, 'quantizes nothing')])
def test_what_is_refused(name, values, message):
    with pytest.raises(errors.UserError, match=message):
        methods.get(name).check(options_of(name, **values))


def test_a_skipped_layer_is_no_end():
    model = models.LeNet()
    methods.get('dorefa').quantize(model, options_of('dorefa'), ('conv2',))
    assert [bits_of(model, n)[0] for n in ('conv1', 'conv2', 'fc1')] == [
        None, None, 1]


def test_steps_start_from_the_loaded_weights_and_follow_their_rate(device):
    method = methods.get('lsq')
    steps = []
    for rate in (1., 0.):
        numpy.random.seed(1)
        model = L.Classifier(models.MLP(8))
        options = options_of('lsq', step_lr=rate, clip='none')
        method.quantize(model.predictor, options)
        model.to_device(device)
        optimizer = chainer.optimizers.SGD(.1).setup(model)
        method.set_up(optimizer, options)
        # loaded after the conversion
        model.predictor.l2.W.array[...] *= 3
        expected = 2 * float(abs(
            model.predictor.l2.W.array).mean()) / 7 ** .5
        x = device.send(numpy.random.uniform(size=(6, 784)).astype('f'))
        optimizer.update(model, x, device.send(numpy.arange(6).astype('i')))
        step = model.predictor.l2.weight_quantizer
        assert step.initialized
        steps.append((float(step.step.array), expected))
    assert steps[0][0] != pytest.approx(steps[0][1], 1e-5)
    assert steps[0][0] == pytest.approx(steps[0][1], .2)
    assert steps[1][0] == pytest.approx(steps[1][1], 1e-5)


def test_steps_are_where_weight_and_input_quantizers_are():
    model = models.MLP(4)
    methods.get('lsq').quantize(model)
    assert [name for name, _ in model.namedparams() if 'step' in name] == [
        '/l%d/%s_quantizer/step' % (i, kind)
        for i in (1, 2, 3) for kind in ('input', 'weight')]
    assert isinstance(model.l2.weight_quantizer, quantizers.LSQ)


@pytest.mark.parametrize('options,message', [
    (['--method', 'lsq', '--weight-bits', '0'], '--weight-bits 0'),
    (['--method', 'dorefa', '--weight-bits', '32', '--activation-bits',
      '32'], 'quantizes nothing'),
    (['--method', 'bnn', '--latent-init', 'uniform', '--init', 'x.npz'],
     'says nothing with --init'),
    (['--final-lr', '1'], 'without --schedule exponential'),
    (['--drop-factor', '.5'], 'without --schedule steps')])
def test_what_the_script_refuses(options, message):
    with pytest.raises(errors.UserError, match=message):
        train_mnist.make_parser(options).parse()
