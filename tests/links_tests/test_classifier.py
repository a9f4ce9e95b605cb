"""The classifier beside Chainer's, and the thresholds that it prepares."""

import chainer
from chainer import links as L
import numpy
import pytest

import quantized_net
from quantized_net import links
from quantized_net import quantizers
from quantized_net.quantizers import ttq


class Net(chainer.Chain):

    def __init__(self, thresholds=(.05, .05, .3)):
        super(Net, self).__init__()
        with self.init_scope():
            for k, t in enumerate(thresholds):
                setattr(self, 'l%d' % k, quantized_net.QuantizedLinear(
                    6, 6, weight_quantizer=quantizers.TTQ(t)))
            self.sparse = quantized_net.QuantizedLinear(
                6, 6, weight_quantizer=quantizers.TTQ(sparsity=.5))
            self.last = quantized_net.QuantizedLinear(
                None, 4, weight_quantizer=quantizers.TTQ())

    def forward(self, x):
        for layer in (self.l0, self.l1, self.l2, self.sparse):
            x = layer(x)
        return self.last(x)


def batch(device):
    x = numpy.random.normal(size=(5, 6)).astype('f')
    return device.send(x), device.send(numpy.arange(5, dtype='i') % 4)


def test_same_as_chainers(device):
    found = []
    for cls in (L.Classifier, links.Classifier):
        numpy.random.seed(0)
        device.xp.random.seed(0)
        model = cls(Net())
        model.to_device(device)
        optimizer = chainer.optimizers.SGD(1e-4).setup(model)
        for _ in range(3):  # a parameter of no array yet is in the first
            optimizer.update(model, *batch(device))
        found.append([chainer.get_device('@numpy').send(p.array)
                      for _, p in sorted(model.namedparams())])
    for a, b in zip(*found):
        numpy.testing.assert_array_equal(a, b)


def test_thresholds_hold_for_a_forward_pass_alone(device):
    """A weight that was changed has another one at once."""
    model = Net()
    model.to_device(device)
    layer = model.l1
    with ttq.thresholds_at_once(model.links()):
        before = float(layer.weight_quantizer.delta(layer.W.array))
        other = layer.W.array * 2
        assert float(layer.weight_quantizer.delta(other)) == 2 * before
    layer.W.array[...] *= 4
    assert float(layer.weight_quantizer.delta(layer.W.array)) == 4 * before
    with pytest.raises(ArithmeticError):
        with ttq.thresholds_at_once(model.links()):
            raise ArithmeticError
    layer.W.array[...] *= 2
    assert float(layer.weight_quantizer.delta(layer.W.array)) == 8 * before


def test_nan_comes_out(device):
    model = Net()
    model.to_device(device)
    model.l1.W.array[2, 3] = numpy.nan
    with ttq.thresholds_at_once(model.links()):
        is_nan = [bool(numpy.isnan(float(
            layer.weight_quantizer.delta(layer.W.array))))
            for layer in (model.l0, model.l1, model.l2)]
    assert is_nan == [False, True, False]


def test_few_launches(standin):
    model = Net((.05,) * 8)
    model.to_device('@cupy:0')
    layers = [layer for layer in model.children()][:8]
    with standin.meter.recording() as record:
        with ttq.thresholds_at_once(model.links()):
            for layer in layers:
                layer.weight_quantizer.delta(layer.W.array)
    assert record.launches.total() <= 3 and not record.reads
