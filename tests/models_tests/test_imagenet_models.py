"""The networks for ImageNet: sizes, shapes, names, all of them trained."""

import chainer
from chainer import links as L
import numpy
import pytest

import quantized_net
from quantized_net import models

MAKERS = {
    'alexnet': models.AlexNet,
    'resnet18': lambda *args: models.ResNet(18, *args),
    'resnet18b': lambda *args: models.ResNet(18, *args, width=1.5),
    'resnet34': lambda *args: models.ResNet(34, *args),
    'resnet50': lambda *args: models.ResNet(50, *args),
    'vgg16': models.VGG16,
    'googlenet': models.GoogLeNetBN,
}


def conv(n_in, n_out, k, groups=1):
    return n_in * n_out * k * k // groups


def alexnet():
    """As the log of the authors of TTQ has it: 60.98 million."""
    convolutions = (
        conv(3, 96, 12) + 96 + conv(96, 256, 5, 2) + conv(256, 384, 3)
        + conv(384, 384, 3, 2) + conv(384, 256, 3, 2))
    linear = 9216 * 4096 + 4096 * 4096 + 4096 * 1000 + 1000
    return convolutions + linear + 2 * (256 + 384 + 384 + 256 + 2 * 4096)


def resnet18b():
    w = [96, 192, 384, 768]
    total = conv(3, 96, 7) + 2 * 96 + 768 * 1000 + 1000
    for i, n in enumerate(w):
        before = w[max(i - 1, 0)]
        total += conv(before, n, 3) + 3 * conv(n, n, 3) + 4 * 2 * n
        if i:
            total += conv(before, n, 1) + 2 * n
    return total


def googlenet():
    """The 6,998,552 of Caffe's, with BatchNormalization for the biases."""
    widths = [64, 64, 192] + [
        n for _, _, n1, n3, n5, n_pool in models.googlenet_bn._MODULES
        for n in (n1, *n3, *n5, n_pool)]
    return 6998552 - sum(widths) + 2 * sum(widths)


@pytest.mark.parametrize('name,expected', [
    ('alexnet', alexnet()), ('resnet18', 11689512), ('resnet34', 21797672),
    ('resnet50', 25557032), ('vgg16', 138357544), ('resnet18b', resnet18b()),
    ('googlenet', googlenet())])
def test_number_of_parameters(name, expected, monkeypatch):
    # what they are does not matter here, and drawing them takes a while
    monkeypatch.setattr(
        chainer.initializers.HeNormal, '__call__', lambda self, array: None)
    model = MAKERS[name](1000)
    assert model.count_params() == expected
    if name == 'alexnet':
        assert round(expected / 1e6, 2) == 60.98


@pytest.mark.parametrize('name,size', [
    ('alexnet', 224), ('resnet18', 64), ('googlenet', 64)])
def test_every_parameter_gets_a_gradient(name, size):
    model = MAKERS[name](5)
    quantized_net.quantize(
        model, 'ttq', lambda path, link: path in ('conv0', 'conv1/conv'))
    x = numpy.random.normal(size=(2, 3, size, size)).astype('f')
    loss = L.Classifier(model)(x, numpy.array([1, 4]))
    model.cleargrads()
    loss.backward()
    for path, param in model.namedparams():
        assert param.grad is not None and numpy.isfinite(param.grad).all(), (
            path)
        # what ChainerMN averages
        assert param.grad.flags.c_contiguous, path
        assert param.array.flags.c_contiguous, path


@pytest.mark.parametrize('name,size', [
    ('resnet50', 64), ('resnet18b', 64), ('vgg16', 224)])
def test_forward(name, size, monkeypatch):
    if name == 'vgg16':
        monkeypatch.setattr(chainer.initializers.HeNormal, '__call__',
                            lambda self, array: array.fill(1e-3))
    model = MAKERS[name](7)
    x = numpy.random.normal(size=(1, 3, size, size)).astype('f')
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        assert model(x).shape == (1, 7)


def test_pooling_as_the_sizes_of_the_paper():
    """54, 27, 14, 6 in AlexNet; 112 to 7 in GoogLeNet."""
    shapes = []
    for name, path in (('alexnet', 'fc0'), ('googlenet', 'inc5b')):
        model = MAKERS[name](5)
        link = model[path]
        forward = type(link).forward
        link.forward = lambda x, forward=forward, link=link: (
            shapes.append(x.shape) or forward(link, x))
        with chainer.using_config('train', False), (
                chainer.no_backprop_mode()):
            model(numpy.zeros((1, 3, 224, 224), 'f'))
    assert shapes == [(1, 256, 6, 6), (1, 832, 7, 7)]


def test_depths():
    with pytest.raises(ValueError, match='18, 34 or 50'):
        models.ResNet(101)
