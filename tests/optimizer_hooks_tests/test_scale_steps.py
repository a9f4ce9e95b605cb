"""Steps of chosen parameters, multiplied."""

import chainer
from chainer import links as L
import numpy
import pytest

import quantized_net
from quantized_net import optimizer_hooks
from quantized_net import optimizers
from quantized_net import quantizers
from testing import to_cpu


def make_model(device):
    model = quantized_net.QuantizedLinear(
        3, 2, initialW=.5, weight_quantizer=quantizers.TTQ())
    model.to_device(device)
    return model


def trajectory(device, optimizer, factor=1., n_steps=5, drop_at=3):
    """Values of b after each step, where the gradients are given."""
    model = make_model(device)
    optimizer.setup(model)
    rate = 'alpha' if hasattr(optimizer, 'alpha') else 'lr'
    if factor != 1:
        assert optimizer_hooks.scale_steps(
            optimizer, factor, lambda name, param: name == '/b') == ['/b']
    random = numpy.random.RandomState(1)
    found = []
    for i in range(n_steps):
        if i == drop_at:
            setattr(optimizer, rate, .1 * getattr(optimizer, rate))
        for _, param in sorted(model.namedparams()):
            param.grad = device.send(
                random.normal(size=param.shape).astype('f'))
        optimizer.update()
        found.append(to_cpu(model.b).copy())
    return numpy.array(found), to_cpu(model.W)


@pytest.mark.parametrize('make', [
    chainer.optimizers.SGD, chainer.optimizers.MomentumSGD,
    lambda lr: optimizers.MomentumSGD(lr, nesterov=True)])
def test_sgd_has_the_product_for_its_rate(device, make):
    expected, _ = trajectory(device, make(lr=.5 * .125))
    found, W = trajectory(device, make(lr=.5), .125)
    numpy.testing.assert_allclose(found, expected, 1e-5, 1e-6)
    # and the others their own
    assert (W == trajectory(device, make(lr=.5))[1]).all()


def test_adam(device):
    whole, _ = trajectory(device, chainer.optimizers.Adam(.1))
    found, _ = trajectory(device, chainer.optimizers.Adam(.1), .25)
    numpy.testing.assert_allclose(found, whole / 4, 1e-4, 1e-6)


def test_the_parameters_of_the_quantizers_are_the_default(device):
    model = make_model(device)
    optimizer = chainer.optimizers.SGD(1.).setup(model)
    assert sorted(optimizer_hooks.scale_steps(optimizer, .5)) == [
        '/weight_quantizer/Wn', '/weight_quantizer/Wp']
    for param in model.params():
        param.grad = device.xp.ones_like(param.array)
    optimizer.update()
    assert float(model.weight_quantizer.Wp.array) == .5
    assert to_cpu(model.b).tolist() == [-1, -1]


@pytest.mark.parametrize('frozen', ['rule', 'grad'])
def test_frozen_parameters_stay(device, frozen):
    model = make_model(device)
    optimizer = chainer.optimizers.MomentumSGD(1.).setup(model)
    optimizer_hooks.scale_steps(optimizer, .3, lambda name, param: True)
    model.W.array[...] = device.xp.asarray(
        numpy.random.normal(size=(2, 3)).astype('f'))
    before = model.W.array.copy()
    model.cleargrads()
    if frozen == 'rule':
        model.W.update_rule.enabled = False
        model.W.grad = device.xp.ones_like(before)
    optimizer.update()
    assert bool((model.W.array == before).all())


def test_refusals():
    optimizer = chainer.optimizers.SGD()
    with pytest.raises(quantized_net.UserError, match='setup'):
        optimizer_hooks.scale_steps(optimizer, .1)
    optimizer.setup(L.Linear(2, 2))
    with pytest.raises(quantized_net.UserError, match='/W'):
        optimizer_hooks.scale_steps(optimizer, .1)
    with pytest.raises(quantized_net.UserError, match='factor'):
        optimizer_hooks.scale_steps(optimizer, -1)
