"""Weights on their way to their levels."""

import chainer
import numpy
import pytest

import quantized_net
from quantized_net import extensions
from quantized_net import functions
from quantized_net import quantizers
from quantized_net.extensions import annealing
from testing import to_cpu

MAKERS = {
    'sign': quantizers.Sign,
    'linear': lambda: quantizers.LinearQuant(3),
    'log': lambda: quantizers.LogQuant(4),
    'log without limit': quantizers.LogQuant,
    'ttq': lambda: quantizers.TTQ(.2),
    'ttq relative': lambda: quantizers.TTQ(.2, scales='relative'),
    'twn': quantizers.TWN,
    'twn per filter': lambda: quantizers.TWN(per_filter=True),
    'bwn': quantizers.BWN,
    'dorefa of one bit': lambda: quantizers.DoReFa(1),
    'dorefa': lambda: quantizers.DoReFa(3),
    'lsq of one bit': lambda: quantizers.LSQ(1),
    'lsq': lambda: quantizers.LSQ(3),
}


def test_worked_example(device):
    W = device.send(numpy.array([-3, -.5, 0, .2, .5, .8, 3], 'f'))
    levels = device.send(numpy.array([-1, 0, 1], 'f'))
    boundaries = device.send(numpy.array([-.5, .5], 'f'))

    def soft(inverse_slope):
        return to_cpu(functions.soften(
            W, levels, boundaries, inverse_slope))

    # the weight itself, within the levels
    numpy.testing.assert_allclose(
        soft(1.), [-1, -.5, 0, .2, .5, .8, 1], 1e-6)
    # twice as steep about the boundaries: .5 + 2 (.2 - .5) = -.1, so 0;
    # .5 + 2 (.8 - .5) = 1.1, so 1
    numpy.testing.assert_allclose(soft(.5), [-1, -.5, 0, 0, .5, 1, 1], 1e-6)
    # .5 + (.8 - .5) / .75 = .9
    assert soft(.75)[5] == pytest.approx(.9)
    assert soft(0.).tolist()[2:] == [0, 0, 0, 1, 1]


def weights(device, shape=(5, 40)):
    return device.send(numpy.random.uniform(-1.2, 1.2, shape).astype('f'))


@pytest.mark.parametrize('name', sorted(MAKERS))
def test_the_limit_is_the_quantizer(device, name):
    quantizer = MAKERS[name]()
    quantizer.to_device(device)
    W = weights(device)
    levels, boundaries = quantizer.levels(W)
    assert levels.shape[-1] == boundaries.shape[-1] + 1
    with chainer.using_config('train', False):
        hard = to_cpu(quantizer(W).array)
    numpy.testing.assert_array_equal(
        to_cpu(functions.soften(W, levels, boundaries, 0.)), hard)
    numpy.testing.assert_allclose(
        to_cpu(functions.soften(W, levels, boundaries, 1e-6)), hard,
        atol=1e-3)


@pytest.mark.parametrize('name', sorted(MAKERS))
@pytest.mark.parametrize('inverse_slope', [1., .6, .1])
def test_monotone_and_within_the_levels(device, name, inverse_slope):
    quantizer = MAKERS[name]()
    quantizer.to_device(device)
    W = numpy.sort(numpy.random.uniform(-1.2, 1.2, (3, 200)), 1).astype('f')
    if name == 'twn per filter':
        W[1] *= .3
    W = device.send(W)
    levels, boundaries = quantizer.levels(W)
    y = to_cpu(functions.soften(W, levels, boundaries, inverse_slope))
    assert y.dtype == numpy.float32
    assert (numpy.diff(y, axis=1) >= -1e-6).all()
    levels = to_cpu(levels)
    assert (y >= levels.min() - 1e-6).all()
    assert (y <= levels.max() + 1e-6).all()


def test_a_negative_scale(device):
    W = device.send(numpy.array([-.7, -.2, 0, .2, .7], 'f'))
    levels = device.send(numpy.array([-1, 0, -.25], 'f'))
    boundaries = device.send(numpy.array([-.5, .5], 'f'))
    for inverse_slope in (0., 1e-6):
        found = to_cpu(functions.soften(
            W, levels, boundaries, inverse_slope))
        numpy.testing.assert_allclose(
            found, [-1, 0, 0, 0, -.25], atol=1e-4)


@pytest.mark.parametrize('inverse_slope', [1e-3, 1e-5, 1e-9, 1e-40])
def test_steep_ramps_in_half_precision(device, inverse_slope):
    # one weight lies on a boundary
    W = device.send(numpy.array([-1, -.5, 0, .5, 1], 'e'))
    quantizer = quantizers.TTQ(.5)
    quantizer.to_device(device)
    found = to_cpu(functions.soften(
        W, *quantizer.levels(W), inverse_slope))
    assert found.dtype == numpy.float16
    assert found[[0, 2, 4]].tolist() == [-1, 0, 1]
    # a ramp's value there is the boundary itself
    assert numpy.isfinite(found).all()


def test_nan_comes_out(device):
    W = device.send(numpy.array([numpy.nan, 1.], 'f'))
    y = to_cpu(functions.soften(
        W, *quantizers.Sign().levels(W), .5))
    assert numpy.isnan(y).tolist() == [True, False]


@pytest.mark.parametrize('name', ['sign', 'ttq', 'ttq relative', 'twn'])
def test_gradients_are_the_quantizer_s(device, name):
    """To the weights and to the scales, with another gradient each."""
    found = []
    x = numpy.random.normal(size=(4, 40)).astype('f')
    gy = numpy.random.normal(size=(4, 5)).astype('f')
    W = numpy.random.uniform(-1, 1, (5, 40)).astype('f')
    for inverse_slope in (0., .5):
        layer = quantized_net.QuantizedLinear(
            40, 5, initialW=W, weight_quantizer=MAKERS[name]())
        layer.to_device(device)
        layer.weight_quantizer.inverse_slope = inverse_slope
        y = layer(device.send(x))
        y.grad = device.send(gy)
        y.backward()
        found.append([to_cpu(p.grad) for _, p in sorted(layer.namedparams())]
                     + [to_cpu(y.array)])
    for hard, soft in zip(found[0][:-1], found[1][:-1]):
        numpy.testing.assert_allclose(soft, hard, 1e-4, 1e-4)
    assert abs(found[0][-1] - found[1][-1]).max() > 1e-2


def test_what_the_forward_uses_is_quantized_W(device):
    layer = quantized_net.QuantizedLinear(
        3, 2, nobias=True, initialW=.25, weight_quantizer=quantizers.Sign())
    layer.to_device(device)
    x = device.send(numpy.ones((1, 3), 'f'))
    layer.weight_quantizer.inverse_slope = 1.
    for is_training, value in ((True, .25), (False, 1.)):
        with chainer.using_config('train', is_training):
            assert to_cpu(layer.quantized_W.array).tolist() == [
                [value] * 3] * 2
            assert to_cpu(layer(x).array).tolist() == [[3 * value] * 2]
    codes, _ = layer.weight_quantizer.encode(layer.W.array)
    assert (to_cpu(codes) == 1).all()


def test_schedule():
    values = [annealing.inverse_slope(t / 20) for t in range(25)]
    assert values[0] == pytest.approx(1) and values[10] == pytest.approx(.5)
    assert values[20:] == [0.] * 5
    assert (numpy.diff(values[:21]) < 0).all()
    # by hand: (sigma(2.5) - sigma(-5)) / (sigma(5) - sigma(-5))
    assert values[5] == pytest.approx(.9298963, abs=1e-6)


def test_extension_sets_all_layers_and_resumes():
    class Updater(object):
        epoch_detail = 0.

    class Trainer(object):
        updater = Updater()

    model = chainer.ChainList(*[quantized_net.QuantizedLinear(
        2, 2, weight_quantizer=quantizers.TTQ()) for _ in range(2)])
    extension = extensions.Annealing(model, 4)
    trainer = Trainer()
    for epoch, value in ((0., 1.), (2., .5), (4., 0.), (5., 0.)):
        trainer.updater.epoch_detail = epoch
        extension.initialize(trainer)
        assert [layer.weight_quantizer.inverse_slope for layer in model] == (
            pytest.approx([value] * 2))
