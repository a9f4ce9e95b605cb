"""The layers on our kernels beside Chainer's."""

import functools

import chainer
from chainer import links as L
from chainer import memory_layouts
import numpy
import pytest

from quantized_net import links
from quantized_net import quantizers
from quantized_net.training import device as devices
from testing import to_cpu


def assert_close(expected, found, tolerance=1e-4):
    expected, found = to_cpu(expected), to_cpu(found)
    assert expected.shape == found.shape and expected.dtype == found.dtype
    numpy.testing.assert_allclose(found, expected, tolerance, tolerance)


def make(device, *args, **options):
    """Chainer's BatchNormalization, and ours."""
    made = [module.BatchNormalization(*args, **options)
            for module in (L, links)]
    for link in made:
        link.to_device(device)
    return made


def assert_same_state(a, b, tolerance=1e-4):
    for p, q in zip(a.params(), b.params()):
        assert_close(p, q, tolerance)
        if p.grad is not None:
            assert_close(p.grad, q.grad, tolerance)
    if isinstance(a, L.BatchNormalization):
        assert_close(a.avg_mean, b.avg_mean, tolerance)
        assert_close(a.avg_var, b.avg_var, tolerance)
        assert a.N == b.N


def step(link, device, x, **options):
    """Forward and backward; the output and the input's gradient."""
    variable = chainer.Variable(device.send(x))
    y = link(variable, **options)
    link.cleargrads()
    y.grad = device.send(
        numpy.random.RandomState(5).normal(size=y.shape).astype(x.dtype))
    y.backward()
    return y, variable.grad


BATCH_NORMALIZATIONS = [
    ((3,), {}, (6, 3)), ((3,), {}, (4, 3, 5, 2)),
    ((3,), {'use_gamma': False}, (4, 3, 5, 2)),
    ((3,), {'use_beta': False, 'decay': .3, 'eps': .1}, (4, 3, 5, 2)),
    ((3,), {'use_gamma': False, 'use_beta': False}, (6, 3)),
    ((), {'axis': (0, 2, 3)}, (4, 3, 5, 2)),
    ((), {'axis': 0}, (6, 3)), ((), {'axis': 0}, (4, 3, 5, 2)),
    ((), {'axis': (0, 1, 2)}, (4, 3, 5, 2)),
    (((3, 5),), {}, (4, 3, 5)),
    ((3,), {'initial_gamma': .5, 'initial_beta': -1, 'initial_avg_mean': 2,
            'initial_avg_var': 3}, (6, 3)),
    ((3,), {'dtype': 'd'}, (6, 3))]


@pytest.mark.parametrize('args,options,shape', BATCH_NORMALIZATIONS)
@pytest.mark.parametrize('finetune', [False, True])
def test_batch_normalization(device, args, options, shape, finetune):
    both = make(device, *args, **options)
    dtype = options.get('dtype', 'f')
    for _ in range(3):
        x = numpy.random.normal(2, 3, shape).astype(dtype)
        results = [step(link, device, x, finetune=finetune)
                   for link in both]
        for a, b in zip(*results):
            assert_close(a, b)
        assert_same_state(*both)
    assert both[1].N == (3 if finetune else 0)
    for backprop in (True, False):
        with chainer.using_config('train', False), chainer.using_config(
                'enable_backprop', backprop):
            assert_close(*[link(device.send(x)) for link in both])
    assert_same_state(*both)


def test_finetuning_starts_again(device):
    both = make(device, 3)
    for _ in range(2):
        for link in both:
            link.start_finetuning()
        for _ in range(2):
            x = numpy.random.normal(size=(6, 3)).astype('f')
            for link in both:
                link(device.send(x), finetune=True)
        assert_same_state(*both)
        assert both[1].N == 2


@pytest.mark.parametrize('finetune', [False, True])
def test_recomputing_leaves_the_statistics(device, finetune):
    both = make(device, 3)
    x = numpy.random.normal(size=(6, 3)).astype('f')
    for link in both:  # finetuning has begun
        link(device.send(x), finetune=True)
    before = to_cpu(both[1].avg_mean).copy()
    with chainer.using_config('in_recomputing', True):
        results = [step(link, device, 2 * x, finetune=finetune)
                   for link in both]
    for a, b in zip(*results):
        assert_close(a, b)
    assert_same_state(*both)
    assert both[1].N == 1
    numpy.testing.assert_array_equal(to_cpu(both[1].avg_mean), before)


def test_forget_counts_once(device):
    link = links.BatchNormalization(3)
    link.to_device(device)
    other = link.copy('copy')
    x = numpy.random.normal(size=(6, 3)).astype('f')
    variable = chainer.Variable(device.send(x))
    y = chainer.functions.forget(lambda v: link(v, relu=True), variable)
    link.cleargrads()
    y.grad = device.send(
        numpy.random.RandomState(5).normal(size=y.shape).astype('f'))
    y.backward()
    expected = step(other, device, x, relu=True)
    assert_close(expected[0], y)
    assert_close(expected[1], variable.grad)
    assert_same_state(other, link)


@pytest.mark.parametrize('train', [False, True])
@pytest.mark.parametrize('shape', [(6, 3), (4, 3, 5, 2), (4, 3, 5)])
def test_residual_and_relu(device, train, shape):
    both = make(device, 3 if len(shape) != 3 else (3, 5))
    x, residual = [numpy.random.normal(size=shape).astype('f')
                   for _ in range(2)]
    residuals = [chainer.Variable(device.send(residual)) for _ in range(2)]
    variables = [chainer.Variable(device.send(x)) for _ in range(2)]
    with chainer.using_config('train', train):
        ys = [chainer.functions.relu(
            both[0](variables[0]) + residuals[0]),
            both[1](variables[1], residual=residuals[1], relu=True)]
    assert_close(*ys)
    for link, y in zip(both, ys):
        link.cleargrads()
        y.grad = device.send(x)
        y.backward()
    assert_close(*[v.grad for v in variables])
    assert_close(*[v.grad for v in residuals])
    assert_same_state(*both)


CONVOLUTIONS = [
    ((3, 5, 3), {'pad': 1}), ((3, 5, 2), {'stride': 2, 'nobias': True}),
    ((4, 6, (3, 2)), {'groups': 2, 'dilate': 2}), ((None, 5, 3), {}),
    ((5, 3), {})]


@pytest.mark.parametrize('args,options', CONVOLUTIONS)
def test_convolution(device, args, options):
    channels = args[0] if len(args) == 3 and args[0] else 3
    x = numpy.random.normal(size=(2, channels, 7, 8)).astype('f')
    both = []
    for module in (L, links):
        devices.seed(device, 7)
        link = module.Convolution2D(*args, **options)
        link.to_device(device)
        both.append((link, step(link, device, x)))
    for a, b in zip(both[0][1], both[1][1]):
        assert_close(a, b)
    assert_same_state(both[0][0], both[1][0])


@pytest.mark.parametrize('make_link', [
    links.Convolution2D, links.QuantizedConvolution2D,
    functools.partial(links.QuantizedConvolution2D,
                      weight_quantizer=quantizers.Sign(),
                      gradient_quantizer=quantizers.LogQuant())])
def test_residual_of_a_convolution(device, make_link):
    link = make_link(3, 5, 3)
    link.to_device(device)
    x, residual = [
        chainer.Variable(device.send(
            numpy.random.normal(size=shape).astype('f')))
        for shape in ((2, 3, 7, 8), (2, 5, 5, 6))]
    y = link(x, residual=residual)
    assert_close(link(x) + residual, y)
    y.grad = residual.array
    y.backward()
    assert_close(residual, residual.grad)


@pytest.mark.parametrize('cls,args,options', [
    ('BatchNormalization', (3,), {}),
    ('BatchNormalization', (3,), {'use_gamma': False}),
    ('BatchNormalization', (), {'axis': (0, 2, 3)}),
    ('Convolution2D', (3, 5, 3), {}),
    ('Convolution2D', (None, 5, 3), {'nobias': True})])
@pytest.mark.parametrize('to_ours', [False, True])
def test_files_are_chainers(tmp_path, cls, args, options, to_ours):
    order = (L, links) if to_ours else (links, L)
    source, target = [getattr(m, cls)(*args, **options) for m in order]
    x = numpy.random.normal(size=(2, 3, 7, 8)).astype('f')
    for _ in range(2):
        source(x)
    path = tmp_path / 'link.npz'
    chainer.serializers.save_npz(path, source)
    chainer.serializers.load_npz(path, target)
    again = tmp_path / 'again.npz'
    chainer.serializers.save_npz(again, target)
    with numpy.load(path) as a, numpy.load(again) as b:
        assert sorted(a.files) == sorted(b.files)
        for name in a.files:
            numpy.testing.assert_array_equal(a[name], b[name])
    with chainer.using_config('train', False):
        assert_close(source(x), target(x))


def test_what_is_not_chainer_s_goes_by_name_only():
    x = numpy.ones((2, 3, 4, 4), 'f')
    for link in (links.BatchNormalization(3), links.Convolution2D(3, 3, 1)):
        with pytest.raises(TypeError):
            link(x, x)
        assert link(x, residual=x).shape == x.shape


def test_what_chainer_explains():
    with pytest.raises(ValueError, match='using_config'):
        links.BatchNormalization(3)(numpy.ones((2, 3), 'f'), test=True)


@pytest.mark.parametrize('in_channels', [3, None])
@pytest.mark.parametrize('layout', [None, memory_layouts.CUDNN_CHANNEL_LAST_X])
def test_layouts_of_cudnn_are_chainers(in_channels, layout):
    errors = []
    with chainer.using_config('compute_mode', 'cudnn_fast'):
        for module in (L, links):
            link = module.Convolution2D(in_channels, 5, 3)
            x = chainer.Variable(numpy.ones((2, 3, 6, 5), 'f'))
            # what a GPU is needed for: Chainer says so
            with pytest.raises((AssertionError, RuntimeError)) as e:
                link(x.as_layout(layout))
            errors.append((e.type, link.W.raw_array is None))
            assert link.W.layout == memory_layouts.CUDNN_CHANNEL_LAST_W
    assert errors[0] == errors[1]


@pytest.mark.parametrize('layout', [None, memory_layouts.CUDNN_CHANNEL_LAST_X])
def test_quantized_layers_have_the_standard_layout(device, layout):
    x = numpy.random.uniform(-1, 1, (2, 3, 6, 5)).astype('f')
    with chainer.using_config('compute_mode', 'cudnn_fast'):
        link = links.QuantizedConvolution2D(
            None, 5, 3, weight_quantizer=quantizers.TTQ(),
            input_quantizer=quantizers.Sign())
        link.to_device(device)
        variable = chainer.Variable(device.send(x))
        found = link(variable.as_layout(layout))
        chainer.functions.sum(found).backward()
    assert found.layout is None and variable.grad.shape == x.shape
    assert_close(link(device.send(x)), found)
