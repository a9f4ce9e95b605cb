"""Models for the tests of packing: every network, every method."""

import types

import chainer
from chainer import functions as F
from chainer import links as L
import numpy

import quantized_net
from quantized_net import methods
from quantized_net import models
from quantized_net import quantizers


class UserNet(chainer.Chain):

    """A Chain as a user writes one: Chainer's own layers and a residual."""

    def __init__(self):
        super(UserNet, self).__init__()
        with self.init_scope():
            self.conv1 = L.Convolution2D(3, 8, 3, pad=1)
            self.bn1 = L.BatchNormalization(8)
            self.conv2 = L.Convolution2D(8, 8, 3, pad=1, groups=2)
            self.bn2 = L.BatchNormalization(8, use_gamma=False)
            self.conv3 = L.Convolution2D(8, 6, 3, stride=2, pad=1)
            self.fc = L.Linear(6 * 2 * 3, 5)

    def forward(self, x):
        h = F.relu(self.bn1(self.conv1(x)))
        h = F.relu(self.bn2(self.conv2(h)) + h)
        h = F.max_pooling_2d(h, 3, 2, 1)
        h = F.leaky_relu(self.conv3(h), .1)
        h = F.dropout(h)
        return F.softmax(self.fc(F.reshape(h, (len(h), -1))))


class Block(chainer.Chain):

    """The block of Chainer's VGG example (examples/cifar/models/VGG.py)."""

    def __init__(self, out_channels):
        super(Block, self).__init__()
        with self.init_scope():
            self.conv = L.Convolution2D(None, out_channels, 3, pad=1,
                                        nobias=True)
            self.bn = L.BatchNormalization(out_channels)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


class VGG(chainer.Chain):

    """Chainer's VGG example, of a quarter of its stages and width."""

    def __init__(self, n_out=10):
        super(VGG, self).__init__()
        with self.init_scope():
            self.block1_1 = Block(8)
            self.block1_2 = Block(8)
            self.block2_1 = Block(16)
            self.fc1 = L.Linear(None, 32, nobias=True)
            self.bn_fc1 = L.BatchNormalization(32)
            self.fc2 = L.Linear(None, n_out, nobias=True)

    def forward(self, x):
        h = F.dropout(self.block1_1(x), ratio=0.3)
        h = self.block1_2(h)
        h = F.max_pooling_2d(h, ksize=2, stride=2)
        h = F.dropout(self.block2_1(h), ratio=0.4)
        h = F.max_pooling_2d(h, ksize=2, stride=2)
        h = F.dropout(h, ratio=0.5)
        h = F.relu(self.bn_fc1(self.fc1(h)))
        return self.fc2(F.dropout(h, ratio=0.5))


def _by_method(make, name, shape, skip=()):
    def build():
        method = methods.get(name)
        model = make(method)
        method.quantize(model, skip=skip)
        return model
    return build, shape


def _by_quantizer(make, shape, method, skip=(), **options):
    def build():
        model = make()
        with chainer.using_config('train', False):
            model(numpy.zeros((1,) + shape, 'f'))
        quantized_net.quantize(model, method, skip=skip, **options)
        return model
    return build, shape


def _by_method_trained(make, name, shape, **options):
    """As _by_method, and one forward in training mode, which may set up."""
    def build():
        method = methods.get(name)
        model = make(method)
        args = method.default_options()
        vars(args).update(options)
        method.quantize(model, args)
        model(images(shape, 4))
        return model
    return build, shape


# From a name to what builds the model, and the shape of its images.
CASES = {}
for _name in ('float', 'ttq', 'twn'):
    for _title, _make, _shape, _skip in (
            ('convnet', models.ConvNet, (1, 28, 28), ()),
            ('lenet', models.LeNet, (1, 28, 28), ('conv1', 'fc2')),
            ('resnet20', models.ResNetCIFAR, (3, 32, 32), 'conv0'),
            ('resnet8_odd', lambda: models.ResNetCIFAR(8), (3, 9, 7), ()),
            ('vgg7', models.VGG7, (3, 32, 32), 'conv1')):
        if _title == 'vgg7' and _name != 'twn' or (
                _title == 'lenet' and _name == 'twn'):
            continue  # slow, as their linear layers are large
        CASES['%s_%s' % (_title, _name)] = _by_method(
            lambda method, make=_make: make(), _name, _shape,
            () if _name == 'float' else _skip)
for _name, _options in (('sign', {}), ('linear', {'bits': 4}), ('log', {}),
                        ('linear', {'bits': 12}), ('log', {'bits': 4})):
    CASES['convnet_%s%s' % (_name, _options.get('bits', ''))] = _by_quantizer(
        models.ConvNet, (1, 28, 28), _name, **_options)
for _name in methods.names():
    if _name != 'mixed':  # quantizes nothing by its defaults
        CASES['mlp_%s' % _name] = _by_method_trained(
            lambda method: models.MLP(100, relu=method.relu), _name, (784,))
for _name in ('dorefa', 'fixed_point', 'lsq', 'inq', 'buckets', 'points',
              'bwn', 'binaryconnect'):
    CASES['convnet_' + _name] = _by_method_trained(
        lambda method: models.ConvNet(n_channels=4), _name, (1, 28, 28))
CASES['mlp_shift_bnn'] = _by_method_trained(
    lambda method: models.MLP(100, relu=False), 'bnn', (784,), shift_bn=True)
CASES['gupta_dnn'] = _by_method_trained(
    lambda method: models.GuptaDNN(), 'fixed_point', (784,))
CASES['gupta_cnn'] = _by_method_trained(
    lambda method: models.GuptaCNN(), 'fixed_point', (1, 28, 28))
CASES['gupta_cifar'] = _by_method_trained(
    lambda method: models.GuptaCifarCNN(), 'fixed_point', (3, 32, 32))
CASES['polino'] = _by_method_trained(
    lambda method: models.PolinoCIFAR('student3'), 'buckets', (3, 32, 32))
CASES['rows'] = _by_quantizer(
    UserNet, (3, 7, 9), lambda: quantizers.TWN(.75, per_filter=True))
CASES['user'] = _by_quantizer(UserNet, (3, 7, 9), 'ttq', skip=('conv1',))
CASES['user_float'] = (
    lambda: UserNet(), (3, 7, 9))
CASES['chainer_vgg'] = _by_quantizer(VGG, (3, 16, 16), 'twn', skip=('fc2',))
CASES['activations'] = _by_quantizer(
    UserNet, (3, 7, 9), lambda path, link: types.SimpleNamespace(
        conv1=quantized_net.convert.Quantizers(quantizers.Sign())
    ).__dict__.get(path) or quantized_net.convert.Quantizers(
        quantizers.TTQ(.3), quantizers.LinearQuant(5)))


def build(name, seed=0):
    """A model with weights and statistics as after some training.

    Returns:
        tuple: The model, and the shape of its images.

    """
    numpy.random.seed(seed)
    make, shape = CASES[name]
    model = make()
    rng = numpy.random.RandomState(seed)
    for _, link in sorted(model.namedlinks()):
        if isinstance(link, L.BatchNormalization):
            n = link.avg_mean.shape
            link.avg_mean[...] = rng.normal(0, .3, n)
            link.avg_var[...] = rng.uniform(.5, 2, n)
            if link.gamma is not None:
                link.gamma.array[...] = rng.normal(1, .3, n)
            link.beta.array[...] = rng.normal(0, .3, n)
        elif getattr(link, 'b', None) is not None:
            link.b.array[...] = rng.normal(0, .1, link.b.shape)
        elif isinstance(link, quantizers.TTQ) and not link.relative:
            link.Wp.array[...], link.Wn.array[...] = .11, .13
    return model, shape


def images(shape, n=5, seed=1):
    return numpy.random.RandomState(seed).uniform(
        0, 1, (n,) + tuple(shape)).astype('f')


def outputs(model, x):
    """Of a Chainer model in test mode."""
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        return model(x).array
