"""Updates that wait for others, beside Chainer's one by one."""

import chainer
from chainer import links as L
import numpy
import pytest

from quantized_net import optimizers
from quantized_net.kernels import many_arrays

PAIRS = [(chainer.optimizers.MomentumSGD, optimizers.MomentumSGD),
         (chainer.optimizers.Adam, optimizers.Adam)]
# more than a table has rows, some of several blocks and one of none
SIZES = [0, 1, 2048, 2049, 5000] + list(range(1, 150))


@pytest.fixture(params=PAIRS, ids=['momentum', 'adam'])
def pair(request):
    return request.param


def make(device, cls, dtype='d', sizes=SIZES, fp32=False):
    link = chainer.Link()
    with link.init_scope():
        for i, size in enumerate(sizes):
            setattr(link, 'p%03d' % i, chainer.Parameter(
                numpy.linspace(-1, 1, size).astype(dtype)))
    link.to_device(device)
    optimizer = cls(**({'eps': 1e-4} if 'Adam' in cls.__name__ else {}))
    if fp32:
        optimizer.use_fp32_update()
    return link, optimizer.setup(link)


def set_gradients(links, step):
    random = numpy.random.RandomState(step)
    for params in zip(*[[p for _, p in sorted(link.namedparams())]
                        for link in links]):
        g = random.normal(size=params[0].shape).astype(params[0].dtype)
        for p in params:
            p.grad = p.device.send(g.copy())


def values(link):
    cpu = chainer.get_device('@numpy')
    return {name: numpy.array(cpu.send(p.array))
            for name, p in link.namedparams()}


def assert_same(a, b, tolerance=1e-13):
    a, b = values(a), values(b)
    for name in a:
        assert a[name].dtype == b[name].dtype
        numpy.testing.assert_allclose(
            b[name], a[name], tolerance, tolerance, err_msg=name)


def run(device, pair, change=lambda link, optimizer: None, n_steps=3,
        tolerance=1e-13, **options):
    sides = [make(device, cls, **options) for cls in pair]
    for link, optimizer in sides:
        change(link, optimizer)
    links = [link for link, _ in sides]
    before = values(links[1])
    for step in range(n_steps):
        set_gradients(links, step)
        for _, optimizer in sides:
            optimizer.update()
        assert_same(*links, tolerance=tolerance)
    after = values(links[1])
    return {name for name in before
            if not (before[name] == after[name]).all()}


def test_same_as_chainer(device, pair):
    assert len(run(device, pair)) == len(SIZES) - 1  # but for that of none


def test_hyperparameters_of_a_parameter(device, pair):
    def change(link, optimizer):
        name = 'alpha' if hasattr(optimizer, 'alpha') else 'lr'
        setattr(link.p003.update_rule.hyperparam, name, .3)
        setattr(link.p007.update_rule.hyperparam, name, 0.)
    assert '/p007' not in run(device, pair, change)


def test_disabled_rule(device, pair):
    def change(link, optimizer):
        link.p003.update_rule.enabled = False
    assert '/p003' not in run(device, pair, change)


def test_hooks_of_all_kinds(device, pair):
    """Each sees what it would see where nothing waits."""
    def change(link, optimizer):
        seen = []
        optimizer.seen = seen

        def look(rule, param):
            seen.append(float(param.array.sum()))

        def double(rule, param):
            param.array[...] *= 2
        optimizer.add_hook(chainer.optimizer_hooks.WeightDecay(.1))
        optimizer.add_hook(chainer.optimizer_hooks.GradientClipping(3.))
        link.p003.update_rule.add_hook(look, 'before', timing='pre')
        link.p004.update_rule.add_hook(double, 'double', timing='post')
        link.p005.update_rule.add_hook(look, 'look', timing='post')
        optimizer.add_hook(
            lambda optimizer: seen.append(sum(
                [float(p.array.sum()) for _, p in sorted(
                    link.namedparams())])), 'total', timing='post')
        found.append(seen)
    found = []
    run(device, pair, change)
    assert len(found[0]) == 9
    numpy.testing.assert_allclose(found[1], found[0], 1e-11)


@pytest.mark.parametrize('fp32', [False, True])
def test_half_precision(device, pair, fp32):
    run(device, pair, dtype='e', sizes=[1, 100, 3000], fp32=fp32,
        tolerance=2e-3)


def test_loss_scale(device, pair):
    """The gradient is divided by it before the update."""
    found = []
    for cls in pair:
        numpy.random.seed(0)
        model = L.Classifier(L.Linear(5, 3))
        model.to_device(device)
        optimizer = cls().setup(model)
        optimizer.set_loss_scale(64.)
        x = device.send(numpy.random.normal(size=(4, 5)).astype('f'))
        for _ in range(3):
            optimizer.update(model, x, device.send(numpy.arange(4) % 3))
        found.append(model)
    assert_same(*found, tolerance=1e-6)


def test_gradient_that_is_not_contiguous(device, pair):
    links = []
    for cls in pair:
        link = chainer.Link()
        with link.init_scope():
            link.p = chainer.Parameter(numpy.ones((3, 4), 'f'))
        link.to_device(device)
        optimizer = cls().setup(link)
        g = numpy.arange(12, dtype='f').reshape(4, 3)
        link.p.grad = device.send(g).T
        optimizer.update()
        links.append(link)
    assert_same(*links, tolerance=1e-6)


def test_after_a_step_that_failed_nothing_waits(device, pair):
    link, optimizer = make(device, pair[1], sizes=[3, 4])

    def fail(rule, param):
        raise ArithmeticError
    set_gradients([link], 0)
    link.p001.update_rule.add_hook(fail, 'fail')
    with pytest.raises(ArithmeticError):
        optimizer.update()
    link.p001.update_rule.remove_hook('fail')
    before = values(link)
    link.p001.update()  # outside of the optimizer: at once
    after = values(link)
    assert (before['/p000'] == after['/p000']).all()
    assert (before['/p001'] != after['/p001']).all()


def test_launches(standin, pair):
    device = chainer.get_device('@cupy:0')
    link, optimizer = make(device, pair[1], 'f')
    for step in range(2):
        set_gradients([link], step)
        with standin.meter.recording() as record:
            optimizer.update()
    # 153 parameters, at least 50 a launch
    assert record.launches.total() <= 3 and not record.reads


def test_rows_of_both_types(standin):
    """Each element once, whatever the sizes."""
    cupy = chainer.backends.cuda.cupy
    kernel = many_arrays.Kernel('add_number', 'x', 'a', 'x[i] += a;')
    arrays = [cupy.arange(n, dtype='fd'[k % 2]) for k, n in enumerate(SIZES)]
    kernel([(a, k) for k, a in enumerate(arrays)])
    for k, (a, n) in enumerate(zip(arrays, SIZES)):
        assert (a.get() == numpy.arange(n) + k).all()
