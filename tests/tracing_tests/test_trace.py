"""A model's description: what it says, and what is refused by name."""

import chainer
from chainer import functions as F
from chainer import links as L
import numpy
import pytest

import quantized_net
from quantized_net import models
from quantized_net import tracing
from quantized_net.inference import Predictor
from quantized_net.packing import folding
from quantized_net.packing import tensors
import packed_models


@pytest.mark.parametrize('name', packed_models.CASES)
def test_the_description_computes_what_the_model_does(name):
    model, shape = packed_models.build(name)
    x = packed_models.images(shape)
    expected = packed_models.outputs(model, x)
    before = {n: p.array.copy() for n, p in model.namedparams()}
    network = tracing.trace(model, shape)
    for n, param in model.namedparams():
        numpy.testing.assert_array_equal(before[n], param.array)
    scale = abs(expected).max()
    for form in (network, folding.fold(network)):
        assert form.output_shape == expected.shape[1:]
        numpy.testing.assert_allclose(
            Predictor(form)(x), expected, rtol=0, atol=1e-4 * scale)
    kinds = {step.kind for step in folding.fold(network).steps}
    assert 'batch_normalization' not in kinds


@pytest.mark.parametrize('name', ['mlp_bnn'])
def test_sums_of_codes_are_exact(name):
    model, shape = packed_models.build(name)
    # the first layer's products are exact too, of whole numbers
    x = numpy.random.RandomState(0).randint(0, 9, (40,) + shape).astype('f')
    model.l1.b.array[...] = 0
    network = folding.fold(tracing.trace(model, shape))
    numpy.testing.assert_array_equal(
        Predictor(network)(x), packed_models.outputs(model, x))


def test_what_a_residual_network_is_described_as():
    model, shape = packed_models.build('resnet20_ttq')
    network = folding.fold(tracing.trace(model, shape))
    kinds = [step.kind for step in network.steps]
    assert kinds[:7] == ['convolution', 'relu', 'convolution', 'scale_shift',
                         'relu', 'convolution', 'add']
    assert kinds[-2:] == ['mean', 'linear']
    assert kinds.count('convolution') == 19 and kinds.count('add') == 9
    pads = [s.given['widths'] for s in network.steps if s.kind == 'pad']
    assert pads == [[[8, 8], [0, 0], [0, 0]], [[16, 16], [0, 0], [0, 0]]]
    packed = {name: value for name, value in network.tensors.items()
              if isinstance(value, tensors.PackedTensor)}
    assert len(packed) == 19 and 'conv0/W' not in packed
    assert packed['res1/0/conv1/W'].coding == 'base3'
    assert network.n_products == 40551040


def test_a_classifier_is_its_network():
    model, shape = packed_models.build('convnet_ttq')
    network = tracing.trace(L.Classifier(model), shape)
    assert 'conv1/W' in network.tensors


def test_two_bits():
    model, shape = packed_models.build('convnet_ttq')
    network = tracing.trace(model, shape, 'bits2')
    assert network.tensors['fc/W'].coding == 'bits2'


def test_a_block_that_is_used_twice():
    class Twice(chainer.Chain):
        def __init__(self):
            super().__init__()
            with self.init_scope():
                self.conv = L.Convolution2D(4, 4, 3, pad=1)
                self.bn = L.BatchNormalization(4)

        def forward(self, x):
            for _ in range(2):
                x = F.relu(self.bn(self.conv(x)))
            return F.average(x, axis=(2, 3))

    model = Twice()
    x = packed_models.images((4, 5, 5))
    network = folding.fold(tracing.trace(model, (4, 5, 5)))
    assert len(network.tensors) == 3
    numpy.testing.assert_allclose(
        Predictor(network)(x), packed_models.outputs(model, x), atol=1e-6)


class Model(chainer.Chain):

    def __init__(self, f):
        super(Model, self).__init__()
        self.f = f
        with self.init_scope():
            self.fc = L.Linear(6, 6)
            self.bn = L.BatchNormalization(6)

    def forward(self, x):
        return self.f(self, x)


def _train_bn(m, x):
    with chainer.using_config('train', True):
        return m.bn(m.fc(x))


@pytest.mark.parametrize('f,words', [
    (lambda m, x: F.elu(m.fc(x)), 'ELU'),
    (lambda m, x: F.softmax(m.fc(x), axis=0), 'over the batch'),
    (lambda m, x: F.sum(m.fc(x)), 'over the batch'),
    (lambda m, x: F.reshape(m.fc(x), (-1, 2)), 'over the batch'),
    (lambda m, x: F.transpose(m.fc(x)), 'over the batch'),
    (lambda m, x: F.relu(m.fc(x.array)).array, 'not a Variable'),
    (lambda m, x: m.fc(F.relu(x).array), "by Chainer's functions"),
    (lambda m, x: m.fc(x) + m.fc(x).array, 'no constant of each channel'),
    (lambda m, x: 1 - m.fc(x), 'from|- _'),
    (lambda m, x: F.linear(x, m.fc.W * float(x.array.sum())), 'constant0'),
    (lambda m, x: m.fc(x) * float(x.array.sum()), 'multiply_constant'),
    (lambda m, x: F.relu(m.fc(x)) if len(x) == 2 else m.fc(x), 'else|otherw'),
    (lambda m, x: F.linear(x, F.linear(x, m.fc.W)[:1]), 'GetItem|get_item'),
    (lambda m, x: F.concat((m.fc(x), m.xp.ones_like(x.array) * [
        [0], [1], [2]][:len(x)])), 'constant|float64'),
    (_train_bn, 'statistics of the batch'),
    (lambda m, x: m.fc(x) * numpy.arange(12, dtype='f').reshape(2, 6)[
        [0, 1, 0]][:len(x)], 'no constant of each channel'),
    (lambda m, x: F.cast(m.fc(x), 'd'), 'float64'),
    (lambda m, x: x, "by Chainer's functions"),
])
def test_refused(f, words):
    with pytest.raises(quantized_net.UserError, match=words):
        tracing.trace(Model(f), (6,))


def test_a_function_of_someone_else_is_refused():
    from chainer.functions.activation import relu

    class Noisy(relu.ReLU):
        pass

    with pytest.raises(quantized_net.UserError, match='test_trace.*Noisy'):
        tracing.trace(Model(lambda m, x: Noisy().apply((m.fc(x),))[0]), (6,))


def test_images_of_another_shape():
    with pytest.raises(quantized_net.UserError, match=r'shape \(1, 9, 9\)'):
        tracing.trace(models.ConvNet(), (1, 9, 9))


def test_a_model_without_weights_yet():
    with pytest.raises(quantized_net.UserError, match='fc/W has no value'):
        tracing.trace(chainer.Chain(fc=L.Linear(None, 3)), (2,))


def test_weights_of_another_type():
    model = Model(lambda m, x: m.fc(x))
    model.fc.W.array = model.fc.W.array.astype('d')
    with pytest.raises(quantized_net.UserError, match='float64|float32'):
        tracing.trace(model, (6,))


def test_weights_that_are_not_those_of_encode():
    class Other(quantized_net.quantizers.Sign):
        def forward(self, W):
            return super(Other, self).forward(W) * 2

    layer = quantized_net.QuantizedLinear(4, 3, weight_quantizer=Other())
    with pytest.raises(quantized_net.UserError, match='W: .*Other.encode'):
        tracing.trace(chainer.Sequential(layer), (4,))


def test_constants_of_each_channel():
    a = numpy.arange(1, 7, dtype='f')
    model = Model(lambda m, x: ((m.fc(x) - a[None]) * F.broadcast_to(
        chainer.as_variable(a / 3), x.shape) + m.fc(x)) - a[::-1].copy())
    x = packed_models.images((6,))
    network = tracing.trace(model, (6,))
    assert [s.kind for s in network.steps].count('normalization') == 3
    numpy.testing.assert_array_equal(
        Predictor(network)(x), packed_models.outputs(model, x))


@pytest.mark.parametrize('name', ['user', 'rows', 'activations'])
def test_a_model_on_any_device(name, device, tmp_path):
    model, shape = packed_models.build(name)
    path, other = str(tmp_path / 'net'), str(tmp_path / 'other')
    quantized_net.save_packed(path, model, shape)
    expected = quantized_net.load_packed(path)(packed_models.images(shape))
    model.to_device(device)
    quantized_net.save_packed(other, model, shape)
    quantized_net.load_packed(path, into=model)
    x = device.send(packed_models.images(shape))
    numpy.testing.assert_allclose(
        chainer.get_device('@numpy').send(packed_models.outputs(model, x)),
        expected, 1e-4, 1e-5)
    for link in model.links():
        if isinstance(link, quantized_net.quantizers.Fixed):
            assert link.device == device
    # what was loaded has the same codes, from that device too
    quantized_net.save_packed(other, model, shape)
    a, b = [quantized_net.load_packed(p).network for p in (path, other)]
    for key, tensor in a.tensors.items():
        if isinstance(tensor, tensors.PackedTensor):
            numpy.testing.assert_array_equal(
                tensor.packed, b.tensors[key].packed)
