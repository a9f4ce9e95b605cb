"""Frozen weights stay to the last bit, whatever moves the latent ones."""

import copy

import chainer
from chainer import links as L
import numpy
import pytest

import quantized_net
from quantized_net import optimizers
from quantized_net import quantizers
from quantized_net import weights
from testing import to_cpu


def make(bits=3, shape=(6, 5)):
    W = numpy.random.normal(0, .3, shape).astype('f')
    return quantizers.INQ(bits), W


def test_the_largest_are_frozen_first():
    q = quantizers.INQ(3)
    W = numpy.array([.1, -.8, .3, .5, -.2, .6, .05, .4], 'f')
    q.freeze(W, .25)
    assert q.mask(W).tolist() == [i in (1, 5) for i in range(8)]
    assert q.n1 == 0
    # now the frozen ones are small and a small one is the largest
    W[:] = [9, 0, .3, .5, -.2, 0, .05, .4]
    q.freeze(W, .5)
    assert q.mask(W).tolist() == [i in (0, 1, 3, 5) for i in range(8)]
    values = q.frozen[[0, 1, 3, 5]]
    # n1 is that of the first weights, though 9 would give 3
    assert values.tolist() == [1, -1, .5, .5] and q.n1 == 0
    with chainer.using_config('train', True):
        assert q.soften(W).array.tolist() == [
            1, -1, numpy.float32(.3), .5, numpy.float32(-.2), .5,
            numpy.float32(.05), numpy.float32(.4)]


def test_zeros_that_are_frozen_are_not_chosen_again():
    """The public port's sorting anew froze all the rest at once."""
    q = quantizers.INQ(2)
    W = numpy.array([1, .01, .02, .03, .04, .05, .06, .07], 'f')
    q.freeze(W, .5)
    assert q.mask(W).sum() == 4
    assert (q.frozen[q.mask(W)] == 0).sum() == 3
    for n in (5, 6, 7):
        q.freeze(W, n / 8)
        assert q.mask(W).sum() == n


def test_portions_only_grow_and_ties_go_in_order(device):
    W = device.send(numpy.full((4, 5), .25, 'f'))
    q = quantizers.INQ(4)
    q.to_device(device)
    q.freeze(W, .3)
    assert to_cpu(q.mask(W)).ravel().tolist() == [i < 6 for i in range(20)]
    q.freeze(W, .1)
    assert int(q.mask(W).sum()) == 6
    q.freeze(W, 1)
    assert bool(q.mask(W).all())


class Net(chainer.Chain):

    def __init__(self):
        super(Net, self).__init__()
        with self.init_scope():
            self.conv = L.Convolution2D(1, 3, 3)
            self.bn = L.BatchNormalization(3)
            self.fc = L.Linear(12, 4)

    def forward(self, x):
        return self.fc(chainer.functions.relu(self.bn(self.conv(x))))


def train(model, optimizer, device, n=3):
    for _ in range(n):
        x = device.send(numpy.random.uniform(-1, 1, (6, 1, 4, 4)).astype('f'))
        t = device.send(numpy.random.randint(0, 4, 6).astype('i'))
        optimizer.update(model, x, t)


class Stir(object):

    """A hook that moves every parameter."""

    name, call_for_each_param, timing = 'Stir', True, 'post'

    def __call__(self, rule, param):
        noise = numpy.random.normal(0, .1, param.shape).astype('f')
        param.array[...] += param.device.send(noise)


@pytest.mark.parametrize('make_optimizer', [
    lambda: chainer.optimizers.MomentumSGD(.1),
    lambda: optimizers.MomentumSGD(.1, .9, .01),
    lambda: chainer.optimizers.Adam(.05)])
def test_frozen_weights_are_bit_identical(device, make_optimizer):
    model = L.Classifier(Net())
    quantized_net.quantize(model, 'inq', bits=3)
    model.to_device(device)
    layers = model.predictor.conv, model.predictor.fc
    optimizer = make_optimizer().setup(model)
    optimizer.add_hook(chainer.optimizer_hooks.WeightDecay(.1))
    optimizer.add_hook(quantized_net.WeightClip(-.3, .3))
    optimizer.add_hook(Stir())
    train(model, optimizer, device)
    known = {}
    for portion in (.3, .6, .9, 1.):
        for layer in layers:
            layer.weight_quantizer.freeze(layer.W.array, portion)
        before = [to_cpu(layer.W).copy() for layer in layers]
        train(model, optimizer, device)
        for i, layer in enumerate(layers):
            mask = to_cpu(layer.weight_quantizer.mask(layer.W.array))
            assert mask.sum() == round(portion * mask.size)
            # the optimizer moved them all, the frozen among them
            assert (to_cpu(layer.W) != before[i]).all()
            for is_training in (True, False):
                with chainer.using_config('train', is_training):
                    values = to_cpu(layer.quantized_W)
                for place, value in known.get(i, {}).items():
                    assert values.ravel()[place] == value
            known[i] = {place: values.ravel()[place]
                        for place in numpy.flatnonzero(mask)}
            magnitudes = quantized_net.functions.inq_magnitudes(
                3, layer.weight_quantizer.n1)
            assert set(numpy.abs(list(known[i].values()))) <= {
                0, *magnitudes}
    # all is frozen: training sees what evaluation sees
    for layer in layers:
        for is_training in (True, False):
            with chainer.using_config('train', is_training):
                assert (to_cpu(layer.quantized_W) == to_cpu(
                    layer.weight_quantizer.frozen)).all()


def test_gradient_of_the_free_ones_alone(device):
    q, W = make()
    q.to_device(device)
    W = chainer.Parameter(device.send(W))
    q.freeze(W.array, .5)
    g = device.send(numpy.random.normal(size=W.shape).astype('f'))
    for is_training in (True, False):
        with chainer.using_config('train', is_training):
            y = q.soften(W)
        W.cleargrad()
        y.grad = g
        y.backward()
        expected = numpy.where(to_cpu(q.mask(W.array)), 0, to_cpu(g))
        assert (to_cpu(W.grad) == expected).all()


def test_looking_stores_nothing():
    q, W = make()
    with chainer.using_config('train', False):
        y = q(W).array
        q.encode(W)
        q.levels(W)
    assert not q.initialized and q.n1 == 0 and q.frozen is None
    q.initialize_from(W)
    with chainer.using_config('train', False):
        assert (q(W).array == y).all()


@pytest.mark.parametrize('how', ['deepcopy', 'copy', 'init', 'share'])
def test_copies_freeze_apart(how):
    q, W = make()
    q.freeze(W, .5)
    other = copy.deepcopy(q) if how == 'deepcopy' else q.copy(
        'copy' if how == 'copy' else how)
    other.freeze(W, 1)
    assert q.mask(W).sum() == 15
    if how == 'init':
        again = q.copy('init')
        assert not again.initialized and not again.mask(W).any()


def test_through_a_file(tmp_path):
    def new():
        model = Net()
        quantized_net.quantize(model, 'inq', bits=4)
        return model

    model, other = new(), new()
    model.fc.weight_quantizer.freeze(model.fc.W.array, .4)
    path = str(tmp_path / 'model.npz')
    weights.save(path, model)
    chainer.serializers.load_npz(path, other)
    with chainer.using_config('train', True):
        assert (other.fc.quantized_W.array
                == model.fc.quantized_W.array).all()
    assert other.fc.weight_quantizer.n1 == model.fc.weight_quantizer.n1


def test_float_weights_that_are_loaded_begin_anew(tmp_path):
    path = str(tmp_path / 'float.npz')
    weights.save(path, Net())
    model = Net()
    quantized_net.quantize(model, 'inq')
    model.fc.W.array[...] *= 64
    model.fc.weight_quantizer.freeze(model.fc.W.array, .5)
    n1 = model.fc.weight_quantizer.n1
    quantized_net.load_float(path, model)
    W = model.fc.W.array
    assert not model.fc.weight_quantizer.mask(W).any()
    model.fc.weight_quantizer.freeze(W, .5)
    assert model.fc.weight_quantizer.n1 < n1


def test_of_another_layer_or_no_numbers():
    q, W = make()
    q.freeze(W, .5)
    with pytest.raises(ValueError, match='another layer'):
        q(W[:2])
    q, W = make()
    W[2, 3] = numpy.nan
    with pytest.raises(ValueError, match='NaN'):
        q.freeze(W, .5)
    assert numpy.isnan(q(W).array[2, 3]) and numpy.isnan(
        q.soften(W).array[2, 3])
