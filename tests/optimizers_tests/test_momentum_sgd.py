"""Momentum SGD with weight decay beside Chainer's."""

import chainer
from chainer import links as L
import numpy
import pytest

from quantized_net import optimizers

SHAPES = [(), (1,), (7, 3), (2, 40000)]


def make_link(device, dtype='f', shapes=SHAPES):
    link = chainer.Link()
    with link.init_scope():
        for i, shape in enumerate(shapes):
            setattr(link, 'p%d' % i, chainer.Parameter(numpy.linspace(
                -1, 1, int(numpy.prod(shape))).astype(dtype).reshape(shape)))
    link.to_device(device)
    return link


def chainers(link, decay=0., **options):
    optimizer = chainer.optimizers.MomentumSGD(**options).setup(link)
    if decay:
        optimizer.add_hook(chainer.optimizer_hooks.WeightDecay(decay))
    return optimizer


def set_gradients(*links):
    for params in zip(*[link.params() for link in links]):
        g = numpy.random.normal(size=params[0].shape).astype(params[0].dtype)
        for p in params:
            p.grad = p.device.send(numpy.array(g))


def assert_same(a, b, exactly=True):
    for p, q in zip(a.params(), b.params()):
        for x, y in ((p.array, q.array), (p.update_rule.state['v'],
                                          q.update_rule.state['v'])):
            assert x.dtype == y.dtype
            x, y = [chainer.get_device('@numpy').send(v) for v in (x, y)]
            if exactly:
                numpy.testing.assert_array_equal(x, y)
            else:
                numpy.testing.assert_allclose(x, y, 1e-5, 1e-6)


@pytest.mark.parametrize('dtype', ['e', 'f', 'd'])
@pytest.mark.parametrize('decay', [0., .01])
@pytest.mark.parametrize('options', [
    {}, {'lr': .5, 'momentum': .3}, {'momentum': 0.}])
def test_same_bits_as_chainer(device, dtype, decay, options):
    a, b = [make_link(device, dtype) for _ in range(2)]
    rules = [chainers(a, decay, **options), optimizers.MomentumSGD(
        weight_decay=decay, **options).setup(b)]
    before = b.p2.array.copy()
    for _ in range(4):
        set_gradients(a, b)
        for rule in rules:
            rule.lr *= .9  # as a schedule would
            rule.update()
        # a GPU may fuse what Chainer does in two kernels
        assert_same(a, b, device.xp is numpy)
    assert bool((b.p2.array != before).any())
    assert rules[1].t == 4


@pytest.mark.parametrize('dtype', ['e', 'f', 'd'])
def test_nesterov(device, dtype):
    link = make_link(device, dtype, [(7, 3)])
    optimizer = optimizers.MomentumSGD(
        .1, .8, weight_decay=.01, nesterov=True).setup(link)
    y = chainer.get_device('@numpy').send(link.p0.array).astype('d')
    buffer = 0
    tolerance = {'e': 1e-2, 'f': 1e-5, 'd': 1e-13}[dtype]
    for _ in range(4):
        set_gradients(link)
        g = chainer.get_device('@numpy').send(link.p0.grad) + .01 * y
        optimizer.update()
        buffer = .8 * buffer + g
        y = y - .1 * (g + .8 * buffer)
        numpy.testing.assert_allclose(
            chainer.get_device('@numpy').send(link.p0.array), y, tolerance,
            tolerance)


@pytest.mark.parametrize('with_fp32_update', [False, True])
def test_half_precision(device, with_fp32_update):
    a, b = [make_link(device, 'e', [(7, 3)]) for _ in range(2)]
    rules = [chainers(a, .1), optimizers.MomentumSGD(
        weight_decay=.1).setup(b)]
    if with_fp32_update:
        for rule in rules:
            rule.use_fp32_update()
    for _ in range(3):
        set_gradients(a, b)
        for rule in rules:
            rule.update()
    if with_fp32_update:  # Chainer's decay is rounded to half precision
        numpy.testing.assert_allclose(
            *[chainer.get_device('@numpy').send(p.p0.array)
              for p in (a, b)], 1e-3, 1e-3)
    else:
        assert_same(a, b, device.xp is numpy)
    assert b.p0.update_rule.state['v'].dtype == (
        'f' if with_fp32_update else 'e')


def test_decays_says_which(device):
    def network():
        numpy.random.seed(3)
        chain = chainer.Sequential(L.Linear(4, 3), L.Linear(3, 2))
        chain.to_device(device)
        return chain

    a, b, untouched = network(), network(), network()
    seen = []

    def decays(name, param):
        seen.append((name, param.shape))
        return name.endswith('/W')

    ours = optimizers.MomentumSGD(
        .1, weight_decay=.5, decays=decays).setup(b)
    assert sorted(seen) == [('/0/W', (3, 4)), ('/0/b', (3,)),
                            ('/1/W', (2, 3)), ('/1/b', (2,))]
    theirs = chainers(a, lr=.1)
    for name, param in a.namedparams():
        if name.endswith('/W'):
            param.update_rule.add_hook(
                chainer.optimizer_hooks.WeightDecay(.5))
    for link in (a, b):
        for param in link.params():
            param.array[...] += 1
    for _ in range(3):
        set_gradients(a, b, untouched)
        theirs.update()
        ours.update()
    assert_same(a, b, device.xp is numpy)
    assert b[0].W.update_rule.weight_decay == .5
    assert b[0].b.update_rule.weight_decay == 0


def test_cleared_gradients(device):
    """They count as zeros: there is momentum, and decay."""
    a, b = [make_link(device) for _ in range(2)]
    rules = [chainers(a, .5), optimizers.MomentumSGD(
        weight_decay=.5).setup(b)]
    set_gradients(a, b)
    for _ in range(3):
        for link, rule in zip((a, b), rules):
            rule.update()
            link.cleargrads()
        assert_same(a, b, device.xp is numpy)


def test_a_rule_without_gradient_does_nothing(device):
    link = make_link(device)
    optimizers.MomentumSGD(weight_decay=.5).setup(link)
    for param in link.params():
        before = param.array.copy()
        param.cleargrad()
        param.update()
        assert bool((param.array == before).all())


def test_parameters_without_a_shape_yet(device):
    for cls in (chainer.optimizers.MomentumSGD, optimizers.MomentumSGD):
        link = L.Linear(None, 3)
        link.to_device(device)
        optimizer = cls(.1).setup(link)
        link.cleargrads()
        optimizer.update()
        assert link.W.array is None
        y = link(device.send(numpy.ones((2, 4), 'f')))
        before = link.W.array.copy()
        y.grad = y.xp.ones_like(y.array)
        y.backward()
        optimizer.update()
        numpy.testing.assert_allclose(
            *map(chainer.get_device('@numpy').send,
                 (link.W.array, before - .2)), 1e-5, 1e-6)


def test_arrays_that_are_not_contiguous():
    a, b = [make_link(chainer.get_device('@numpy'), 'f', [(4, 3)])
            for _ in range(2)]
    rules = [chainers(a, .1), optimizers.MomentumSGD(
        weight_decay=.1).setup(b)]
    for link in (a, b):
        link.p0.array = numpy.asfortranarray(link.p0.array)
    for i in range(3):
        set_gradients(a, b)
        if i == 1:
            for link in (a, b):
                link.p0.grad = numpy.asfortranarray(link.p0.grad)
        for rule in rules:
            rule.update()
        assert_same(a, b)


@pytest.mark.parametrize('other', [optimizers.MomentumSGD, chainers])
def test_resume(device, tmp_path, other):
    """From a file of its own, and from Chainer's."""
    a, b, c = [make_link(device) for _ in range(3)]

    def ours(link):
        return optimizers.MomentumSGD(weight_decay=.01).setup(link)

    first = chainers(a, .01) if other is chainers else ours(a)
    whole = ours(b)
    for _ in range(2):
        set_gradients(a, b)
        first.update()
        whole.update()
    chainer.serializers.save_npz(tmp_path / 'optimizer.npz', first)
    chainer.serializers.save_npz(tmp_path / 'link.npz', a)
    resumed = ours(c)
    chainer.serializers.load_npz(tmp_path / 'link.npz', c)
    chainer.serializers.load_npz(tmp_path / 'optimizer.npz', resumed)
    assert resumed.t == 2
    assert_same(b, c, device.xp is numpy)
    for _ in range(2):
        set_gradients(b, c)
        whole.update()
        resumed.update()
    assert_same(b, c, device.xp is numpy)
    assert c.p2.update_rule.weight_decay == .01
