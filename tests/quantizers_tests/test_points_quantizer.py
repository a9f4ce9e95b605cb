"""Points that start at quantiles, in shares, and through files."""

import chainer
from chainer import links as L
import numpy
import pytest

import quantized_net
from quantized_net import quantizers
from testing import to_cpu


def test_they_start_at_the_quantiles(device):
    q = quantizers.Points(2, 8, most=16)
    q.to_device(device)
    W = numpy.random.normal(size=(5, 7)).astype('f')
    q.initialize_from(device.send(W))
    scaled = []
    for i in range(0, 35, 8):
        v = W.ravel()[i:i + 8]
        scaled += list((v - v.min()) / (v.max() - v.min()))
    expected = numpy.percentile(scaled, [0, 100 / 3, 200 / 3, 100])
    numpy.testing.assert_allclose(
        to_cpu(q.points)[:4], expected, 1e-5, 1e-6)
    q.points.array[:] = .5
    q.initialize_from(device.send(W))  # once
    assert (to_cpu(q.points) == .5).all()
    q.set_number(9)
    assert q.bits == 4
    q.initialize_from(device.send(W))
    numpy.testing.assert_allclose(
        to_cpu(q.points)[:9], numpy.percentile(
            scaled, numpy.linspace(0, 100, 9)), 1e-5, 1e-6)
    assert q.encode(device.send(W))[1].values.shape == (5, 9)
    for n in (1, 17):
        with pytest.raises(ValueError, match='from 2 to 16'):
            q.set_number(n)


def test_unused_points_have_no_gradient():
    q = quantizers.Points(1, 8, most=4)
    q.cleargrads()
    y = q(numpy.random.normal(size=(3, 8)).astype('f'))
    y.grad = numpy.ones_like(y.array)
    y.backward()
    assert (q.points.grad[2:] == 0).all() and q.points.grad[:2].any()


def test_annealing_is_refused():
    for q in (quantizers.Points(), quantizers.Buckets()):
        with pytest.raises(ValueError, match='annealed'):
            q.levels(numpy.ones((2, 3), 'f'))


def test_training_and_encoding_agree_on_random_points():
    q = quantizers.Buckets(2, 16, 'stochastic')
    layer = L.Linear(20, 3)
    quantized_net.quantize(
        chainer.Sequential(layer), lambda: q)
    with chainer.using_config('train', True):
        layer(numpy.ones((1, 20), 'f'))
        first = layer.quantized_W.array
        codes, codebook = q.encode(layer.W.array)
        assert (codebook[codes] == first).all()
        layer(numpy.ones((1, 20), 'f'))
        assert (layer.quantized_W.array != first).any()


MAKERS = {
    'inq': lambda: quantizers.INQ(3),
    'fixed_point': lambda: quantizers.FixedPoint(2, 6),
    'buckets': lambda: quantizers.Buckets(4, 32),
    'stochastic buckets': lambda: quantizers.Buckets(2, 32, 'stochastic'),
    'points': lambda: quantizers.Points(3, 32)}


@pytest.mark.parametrize('name', MAKERS)
def test_packed_and_loaded_it_predicts_the_same(tmp_path, name):
    class Net(chainer.Chain):
        def __init__(self):
            super(Net, self).__init__()
            with self.init_scope():
                self.conv = L.Convolution2D(1, 4, 3)
                self.fc = L.Linear(64, 5)

        def forward(self, x):
            return self.fc(chainer.functions.relu(self.conv(x)))

    model = Net()
    quantized_net.quantize(model, MAKERS[name])
    x = numpy.random.uniform(size=(3, 1, 6, 6)).astype('f')
    model(x)  # first values
    path = str(tmp_path / 'packed.safetensors')
    quantized_net.save_packed(path, model, (1, 6, 6))
    with chainer.using_config('train', False):
        expected = model(x).array
        found = quantized_net.load_packed(path, into=Net())
        for layer in ('conv', 'fc'):
            numpy.testing.assert_array_equal(
                found[layer].quantized_W.array,
                model[layer].quantized_W.array)
        numpy.testing.assert_allclose(found(x).array, expected, 1e-5, 1e-5)
