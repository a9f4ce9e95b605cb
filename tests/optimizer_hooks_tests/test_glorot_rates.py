"""Rates of the latent weights by the size of their layer."""

import chainer
from chainer import links as L
import numpy
import pytest

import quantized_net
from quantized_net import errors
from quantized_net import models
from quantized_net import optimizer_hooks
from quantized_net import optimizers
from testing import to_cpu


def make_model():
    model = models.MLP(6, 3, 8)
    quantized_net.quantize(model, 'sign', skip=('l2',))
    return model


OPTIMIZERS = {
    'adam': lambda: optimizers.Adam(.01),
    'chainer adam': lambda: chainer.optimizers.Adam(.01),
    'sgd': lambda: chainer.optimizers.SGD(.01),
    'momentum': lambda: optimizers.MomentumSGD(.01),
    'shift adamax': lambda: optimizers.ShiftAdaMax(.01)}


@pytest.mark.parametrize('name', OPTIMIZERS)
def test_steps(device, name):
    """Twice, with another rate: the schedule holds for all."""
    steps = []
    for is_scaled in (False, True):
        numpy.random.seed(0)
        model = make_model()
        model.to_device(device)
        optimizer = OPTIMIZERS[name]().setup(model)
        if is_scaled:
            factors = optimizer_hooks.glorot_rates(optimizer)
            assert factors == {
                '/l1/W': pytest.approx((14 / 1.5) ** .5),
                '/l3/W': pytest.approx((9 / 1.5) ** .5)}
        moved = {}
        for rate in (.01, .003):
            before = {n: p.array.copy() for n, p in model.namedparams()}
            for param in model.params():
                param.grad = device.send(numpy.random.RandomState(
                    1).normal(size=param.shape).astype('f'))
            setattr(optimizer, 'alpha' if hasattr(
                optimizer, 'alpha') else 'lr', rate)
            optimizer.update()
            moved.update({(n, rate): p.array - before[n]
                          for n, p in model.namedparams()})
        steps.append(moved)
    for key, step in steps[0].items():
        numpy.testing.assert_allclose(
            to_cpu(steps[1][key]), to_cpu(step) * factors.get(key[0], 1),
            1e-3, 1e-6)


def test_convolutions_and_powers_of_two():
    model = models.LeNet()
    quantized_net.quantize(model, 'sign')
    optimizer = optimizers.Adam().setup(model)
    factors = optimizer_hooks.glorot_rates(optimizer, powers_of_two=True)
    # (32 + 64) 25 / 1.5 = 1600, whose root is 40
    assert factors['/conv2/W'] == 32
    assert optimizer_hooks.glorot_rates(
        optimizers.Adam().setup(model))['/conv2/W'] == pytest.approx(40)


def test_what_is_refused():
    with pytest.raises(errors.UserError, match='no model yet'):
        optimizer_hooks.glorot_rates(optimizers.Adam())
    with pytest.raises(errors.UserError, match='no layer with quantized'):
        optimizer_hooks.glorot_rates(optimizers.Adam().setup(
            models.MLP(3)))
    lazy = chainer.Sequential(L.Linear(None, 3))
    quantized_net.quantize(lazy, 'sign')
    with pytest.raises(errors.UserError, match='/0/W has no shape yet'):
        optimizer_hooks.glorot_rates(optimizers.Adam().setup(lazy))
