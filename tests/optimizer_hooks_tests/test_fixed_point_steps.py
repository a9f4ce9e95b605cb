"""Parameters, gradients and updates that stay fixed point numbers."""

import chainer
from chainer import links as L
import numpy
import pytest

import quantized_net
from quantized_net import errors
from quantized_net import optimizer_hooks
from quantized_net import optimizers
from testing import to_cpu


def make(device, optimizer, il=3, fl=5, stochastic=True):
    model = chainer.ChainList(L.Linear(6, 4), L.BatchNormalization(4),
                              L.Linear(4, 3))
    quantized_net.quantize(
        model, 'fixed_point', il=il, fl=fl, rounding='nearest', skip=('2',))
    model.to_device(device)
    optimizer.setup(model)
    optimizer_hooks.fixed_point_steps(optimizer, il, fl, stochastic)
    return model


def on_grid(x, il, fl):
    x = to_cpu(x)
    return (x * 2. ** fl % 1 == 0).all() and (
        -2. ** (il - 1) <= x.min() and x.max() <= 2. ** (il - 1) - 2. ** -fl)


@pytest.mark.parametrize('make_optimizer', [
    lambda: optimizers.MomentumSGD(.3, .9, .01),
    lambda: optimizers.MomentumSGD(.3, .9, nesterov=True),
    lambda: chainer.optimizers.SGD(.3), lambda: chainer.optimizers.Adam(.1)])
def test_all_is_on_the_grid(device, make_optimizer):
    optimizer = make_optimizer()
    model = make(device, optimizer)
    layer = model[0]
    assert on_grid(layer.W, 3, 5) and on_grid(layer.b, 3, 5)
    before = to_cpu(layer.W).copy()
    for _ in range(4):
        for param in model.params():
            param.grad = device.send(
                numpy.random.normal(0, 1, param.shape).astype('f'))
        optimizer.update()
        for param in (layer.W, layer.b):
            assert on_grid(param.array, 3, 5)
            # on a GPU the rule adds the decay to the gradient
            if not getattr(optimizer, 'weight_decay', 0):
                assert on_grid(param.grad, 3, 5)
            if 'v' in param.update_rule.state and isinstance(
                    optimizer, optimizers.MomentumSGD) and (
                        not optimizer.nesterov):
                assert on_grid(param.update_rule.state['v'], 3, 5)
    assert (to_cpu(layer.W) != before).any()
    # what is not quantized is as ever
    assert not on_grid(model[1].gamma, 3, 5)
    assert not on_grid(model[2].W, 3, 5)


def test_one_step_against_an_oracle(device):
    """Nearest, momentum and decay, written out."""
    optimizer = optimizers.MomentumSGD(.25, .5, .125)
    model = make(device, optimizer, 2, 4, stochastic=False)
    layer, eps = model[0], 2. ** -4

    def q(x):
        down = numpy.floor(x / eps) * eps
        return numpy.clip(numpy.where(x <= down + eps / 2, down, down + eps),
                          -2, 2 - eps)

    w, v = to_cpu(layer.W).astype('d'), 0.
    for _ in range(3):
        g = numpy.random.normal(0, 2, layer.W.shape).astype('f')
        for param in model.params():
            param.grad = device.send(numpy.zeros(param.shape, 'f'))
        layer.W.grad = device.send(g)
        optimizer.update()
        v = q(.5 * v - .25 * (q(g.astype('d')) + .125 * w))
        w = numpy.clip(w + v, -2, 2 - eps)
        assert (to_cpu(layer.W) == w).all()


def test_small_updates_arrive_in_the_mean(device):
    """To the nearest they are lost."""
    for stochastic in (True, False):
        optimizer = optimizers.MomentumSGD(.125, 0.)
        model = make(device, optimizer, 3, 6, stochastic)
        W = model[0].W
        before, n = to_cpu(W).copy(), 200
        for _ in range(n):
            for param in model.params():
                param.grad = device.send(numpy.zeros(param.shape, 'f'))
            W.grad = device.send(numpy.full(W.shape, -1 / 64, 'f'))
            optimizer.update()
        moved = (to_cpu(W) - before).mean(dtype='d') * 64
        if stochastic:  # an eighth of a step each time
            spread = (n * (1 / 8) * (7 / 8) / W.size) ** .5
            assert abs(moved - n / 8) < 5 * spread
        else:
            assert moved == 0


def test_what_has_no_gradient_stays():
    optimizer = optimizers.MomentumSGD(.1)
    model = make(chainer.get_device('@numpy'), optimizer)
    before = model[0].W.array.copy()
    model.cleargrads()
    optimizer.update()
    assert (model[0].W.array == before).all()


def test_initial_weights_are_rounded_with_the_seed():
    found = []
    for _ in range(2):
        numpy.random.seed(1)
        model = make(chainer.get_device('@numpy'), chainer.optimizers.SGD())
        found.append(model[0].W.array)
    assert (found[0] == found[1]).all()


def test_where_it_can_not_be():
    with pytest.raises(errors.UserError, match='setup'):
        optimizer_hooks.fixed_point_steps(chainer.optimizers.SGD(), 2, 8)
    with pytest.raises(errors.UserError, match='no layer'):
        optimizer_hooks.fixed_point_steps(
            chainer.optimizers.SGD().setup(L.Linear(2, 3)), 2, 8)
