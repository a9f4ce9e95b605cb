"""The networks of fixed point and of quantized distillation."""

import re

import numpy
import pytest

from quantized_net import models

NETWORKS = {
    'dnn': (models.GuptaDNN, (784,)),
    'cnn': (models.GuptaCNN, (1, 28, 28)),
    'cifar cnn': (models.GuptaCifarCNN, (3, 32, 32)),
    **{name: (lambda name=name: models.PolinoCIFAR(name), (3, 32, 32))
       for name in models.PolinoCIFAR.SHAPES}}


@pytest.mark.parametrize('name,count', [
    # 784 x 1000 + 1000 x 1000 + 1000 x 10 and the biases
    ('dnn', 1796010), ('cnn', 37610), ('cifar cnn', 220042),
    ('teacher', 5341342), ('student1', 999235), ('student2', 317615),
    ('student3', 111335), ('deeper', 5819396)])
def test_parameters(name, count):
    make, shape = NETWORKS[name]
    model = make()
    assert model.count_params() == count
    x = numpy.random.uniform(size=(2,) + shape).astype('f')
    assert model(x).shape == (2, 10)
    # the docstring has the same number
    assert '{:,}'.format(count) in re.sub(r'\s+', ' ', type(model).__doc__)


def test_poolings_and_what_follows_the_logits():
    model = models.PolinoCIFAR('teacher')
    assert model.fc1.W.shape == (1200, 148 * 4 * 4)
    assert models.PolinoCIFAR('student1').fc1.W.shape == (500, 25 * 8 * 8)
    x = numpy.random.normal(size=(9, 3, 32, 32)).astype('f')
    model = models.PolinoCIFAR('student3')
    assert model(x).array.min() == 0
    model = models.PolinoCIFAR('student3', relu_of_logits=False)
    assert model(x).array.min() < 0


def test_small_convnet():
    model = models.ConvNet(n_channels=4)
    assert model.count_params() == 4866
    assert models.ConvNet().count_params() == 29034
