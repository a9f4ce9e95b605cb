"""The networks: sizes, names, shapes and gradients."""

import chainer
import chainer.testing
from chainer import functions as F
import numpy
import pytest

import quantized_net
from quantized_net import models

MODELS = {
    'mlp': (models.MLP, (784,)),
    'convnet': (models.ConvNet, (1, 28, 28)),
    'resnet': (lambda: models.ResNetCIFAR(20), (3, 32, 32)),
    'vgg7': (models.VGG7, (3, 32, 32)),
    'binarynet': (models.BinaryNet, (3, 32, 32)),
    'mlp4': (lambda: models.MLP(30, n_hidden=3), (784,)),
}


def make(name, device, n=2):
    maker, shape = MODELS[name]
    model = maker()
    model.to_device(device)
    return model, device.send(
        numpy.random.normal(size=(n,) + shape).astype('f'))


def test_size_of_convnet():
    assert models.ConvNet().count_params() == 29034


def test_sizes_of_the_binary_networks():
    assert models.BinaryNet().count_params() == 14029716
    # three hidden layers, BatchNormalization behind all four
    assert models.MLP(2048, n_hidden=3).count_params() == (
        784 * 2048 + 2 * 2048 ** 2 + 20480 + 3 * 3 * 2048 + 3 * 10)
    for size in (8, 28):
        assert models.BinaryNet(size=size)(
            numpy.zeros((2, 3, size, size), 'f')).shape == (2, 10)


def test_binarynet_pools_before_it_normalizes():
    """So the signs that the next layer takes are of pooled sums."""
    model = models.BinaryNet(relu=False, size=8)
    x = numpy.random.normal(size=(2, 3, 8, 8)).astype('f')
    h = model.bn2(F.max_pooling_2d(model.conv2(model.bn1(
        model.conv1(x))), 2))
    numpy.testing.assert_allclose(h.array.mean(axis=(0, 2, 3)), 0, atol=1e-5)
    with chainer.using_config('train', False):
        last = model(x).array
    assert last.shape == (2, 10) and (last < 0).any()


def test_size_of_vgg7():
    channels = [3, 128, 128, 256, 256, 512, 512]
    convolutions = sum(
        9 * a * b for a, b in zip(channels[:-1], channels[1:]))
    linear = 512 * 4 * 4 * 1024 + 1024 * 10 + 10
    normalizations = 2 * (sum(channels[1:]) + 1024)
    assert models.VGG7().count_params() == (
        convolutions + linear + normalizations)


@pytest.mark.parametrize('depth', [20, 32, 44, 56])
def test_size_of_resnet(depth):
    n = (depth - 2) // 6
    # in each stage of width c: 2n convolutions, of which the first of the
    # later stages sees c / 2 channels, so half of its weights are missing
    convolutions = 9 * 3 * 16 + sum(
        9 * c * c * 2 * n for c in (16, 32, 64)) - sum(
        9 * c * c // 2 for c in (32, 64))
    # a BatchNormalization before each of these convolutions (bn0 before the
    # first), as wide as its input: narrower where a stage begins; and bn_last
    normalizations = 2 * (
        2 * n * (16 + 32 + 64) - (32 - 16) - (64 - 32) + 64)
    linear = 64 * 10 + 10
    assert models.ResNetCIFAR(depth).count_params() == (
        convolutions + normalizations + linear)


@pytest.mark.parametrize('depth', [2, 6, 21, 56.5])
def test_resnet_of_another_depth(depth):
    with pytest.raises(ValueError, match='6n'):
        models.ResNetCIFAR(depth)


@pytest.mark.parametrize('name', sorted(MODELS))
def test_shape_and_gradients(device, name):
    model, x = make(name, device)
    y = model(x)
    assert y.shape == (2, 10)
    assert y.dtype == numpy.float32
    model.cleargrads()
    F.softmax_cross_entropy(
        y, device.send(numpy.array([3, 7], 'i'))).backward()
    for path, param in model.namedparams():
        assert param.grad is not None, path
        assert param.grad.shape == param.shape
        assert bool(device.xp.isfinite(param.grad).all()), path
    # all that moves the loss; a bias before a BatchNormalization does not
    for path, param in model.namedparams():
        if path.endswith('/W'):
            assert float(abs(param.grad).max()) > 0, path


@pytest.mark.parametrize('name', sorted(MODELS))
def test_evaluation_does_not_depend_on_the_batch(device, name):
    model, x = make(name, device, 3)
    model(x)
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        whole, part = model(x).array, model(x[:1]).array
    chainer.testing.assert_allclose(whole[:1], part, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('shape', [(1, 28, 28), (3, 32, 32), (3, 33, 31)])
def test_resnet_takes_other_images(device, shape):
    model = models.ResNetCIFAR(8, n_out=7, n_in=shape[0])
    model.to_device(device)
    x = device.send(numpy.random.normal(size=(2,) + shape).astype('f'))
    y = model(x)
    assert y.shape == (2, 7)
    model.cleargrads()
    F.sum(y * y).backward()
    assert float(abs(model.conv0.W.grad).max()) > 0


def test_names_of_resnet():
    names = [name for name, _ in models.ResNetCIFAR(20).namedparams()]
    for name in ['/conv0/W', '/bn0/gamma', '/res1/0/conv1/W',
                 '/res1/0/bn2/beta', '/res1/1/bn1/gamma', '/res2/0/bn1/gamma',
                 '/res3/2/conv2/W', '/bn_last/beta', '/linear/b']:
        assert name in names
    # the first block begins where bn0 and its ReLU ended
    assert not [name for name in names if name.startswith('/res1/0/bn1')]
    # no bias before a normalization, no weight in the shortcuts
    assert [name for name in names if name.endswith('/b')] == ['/linear/b']
    assert sum(name.endswith('/W') for name in names) == 20


def test_names_of_vgg7():
    layers = ['conv1', 'conv2', 'conv3', 'conv4', 'conv5', 'conv6', 'fc7']
    assert {name for name, _ in models.VGG7().namedparams()} == {
        '/fc8/W', '/fc8/b'} | {'/%s/W' % name for name in layers} | {
        '/bn%s/%s' % (name[-1], param) for name in layers
        for param in ('gamma', 'beta')}


def test_blocks_of_resnet_are_pre_activation(device):
    # with its last convolution at zero a block is its shortcut alone: no
    # normalization and no ReLU follow the addition
    model = models.ResNetCIFAR(14)
    model.to_device(device)
    for stage in (model.res1, model.res2, model.res3):
        for block in stage:
            block.conv2.W.array[...] = 0
    x = device.send(numpy.random.normal(size=(2, 16, 32, 32)).astype('f'))
    for block in model.res1:
        chainer.testing.assert_allclose(block(x).array, x, 0, 0)
    y = model.res2[0](x).array
    assert y.shape == (2, 32, 16, 16)
    chainer.testing.assert_allclose(
        y[:, 8:24], F.average_pooling_2d(x, 2).array, 1e-6, 1e-6)
    assert not bool(y[:, :8].any()) and not bool(y[:, 24:].any())


def test_block_of_resnet_normalizes_before_it_convolves(device):
    model = models.ResNetCIFAR(14)
    model.to_device(device)
    block = model.res1[1]
    x = device.send(
        numpy.random.normal(3, 2, (2, 16, 8, 8)).astype('f'))
    h = F.convolution_2d(_normalized(x), block.conv1.W, pad=1)
    h = F.convolution_2d(_normalized(h.array), block.conv2.W, pad=1)
    chainer.testing.assert_allclose(
        block(x).array, h.array + x, rtol=1e-4, atol=1e-4)


def _normalized(x):
    mean = x.mean(axis=(0, 2, 3), keepdims=True)
    variance = x.var(axis=(0, 2, 3), keepdims=True)
    return ((x - mean) / (variance + 1e-5) ** .5).clip(0, None)


@pytest.mark.parametrize('name', ['convnet', 'resnet', 'vgg7'])
@pytest.mark.parametrize('method', ['ttq', 'twn'])
def test_they_can_be_quantized(device, name, method):
    model, x = make(name, device)
    first = 'conv0' if name == 'resnet' else 'conv1'
    report = quantized_net.quantize(model, method, skip=(first,))
    assert [layer.path for layer in report
            if layer.action == 'skipped'] == [first]
    assert len(report) == {'convnet': 3, 'resnet': 20, 'vgg7': 8}[name]
    model.to_device(device)
    model.cleargrads()
    F.sum(model(x) ** 2).backward()
    assert all(param.grad is not None for param in model.params())
