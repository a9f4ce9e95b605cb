"""What is reported of quantized weights, and warned of."""

import chainer
from chainer import reporter
import numpy
import pytest

import quantized_net
from quantized_net import extensions
from quantized_net import quantizers


def observe(report):
    observation = {}
    with reporter.Reporter().scope(observation):
        report(None)
    return observation


def make(quantizer, n_in=4):
    model = chainer.Chain(fc=quantized_net.QuantizedLinear(
        n_in, 2, weight_quantizer=quantizer))
    if n_in is not None:
        model.fc.W.array[...] = [[1, -1, .01, .02], [.5, -.5, .01, .9]]
    return model


@pytest.mark.parametrize('quantizer,Wp,Wn', [
    (quantizers.TTQ(), 1, 1), (quantizers.Sign(), 1, 1),
    (quantizers.TWN(), 2.4 / 3, 2.4 / 3)])
def test_scales_and_shares(device, quantizer, Wp, Wn):
    model = make(quantizer)
    model.to_device(device)
    report = extensions.TernaryReport(model)
    found = observe(report)
    if isinstance(quantizer, quantizers.TWN):
        # |W| above .7 mean|W| = .345: 1, 1, .5, .5, .9
        Wp = Wn = 3.9 / 5
    assert found['fc/Wp'] == pytest.approx(Wp)
    assert found['fc/Wn'] == pytest.approx(Wn)
    assert found['fc/flips'] == 0
    model.fc.W.array[0, 0] = -1
    assert observe(report)['fc/flips'] == pytest.approx(1 / 8)


def test_negative_scales_are_told_once_with_their_sign(capsys):
    model = make(quantizers.TTQ())
    report = extensions.TernaryReport(model)
    model.fc.weight_quantizer.Wp.array[...] = -1.04
    for _ in range(2):
        found = observe(report)
        assert found['fc/Wp'] == pytest.approx(-1.04)
        assert found['fc/Wn'] == 1
    line, = capsys.readouterr().err.splitlines()
    assert 'Wp of fc is negative: -1.0400' in line


def test_zeros_are_warned_of_once(capsys):
    model = make(quantizers.TTQ())
    report = extensions.TernaryReport(model)
    model.fc.W.array[...] = 0
    for _ in range(2):
        assert observe(report)['zeros'] == 1
    line, = capsys.readouterr().err.splitlines()
    assert '100.0 % of the weights of fc are zero' in line
    # and not where just 95 % are
    model = chainer.Chain(fc=quantized_net.QuantizedLinear(
        20, 1, weight_quantizer=quantizers.TTQ()))
    model.fc.W.array[...] = [[1] + [0] * 19]
    assert observe(extensions.TernaryReport(model))['zeros'] == .95
    assert capsys.readouterr().err == ''


def test_lazily_initialized_layers():
    model = make(quantizers.TTQ(), None)
    report = extensions.TernaryReport(model)
    model.fc(numpy.ones((1, 3), 'f'))
    assert 'fc/flips' not in observe(report)
    assert observe(report)['fc/flips'] == 0


def test_a_report_writes_nothing():
    model = make(quantizers.TTQ(scales='relative'))
    before = {name: p.array.copy() for name, p in model.namedparams()}
    observe(extensions.TernaryReport(model))
    for name, param in model.namedparams():
        assert (param.array == before[name]).all()
    assert not model.fc.weight_quantizer.initialized
