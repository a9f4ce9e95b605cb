"""Variables in the layouts of cuDNN's that compute_mode 'cudnn_fast' makes.

What bears a name of Chainer's does with them what Chainer's does.
"""

import chainer
from chainer import functions as F
from chainer import memory_layouts
import numpy
import pytest

from quantized_net import functions
from quantized_net import links
from quantized_net import quantizers
from testing import assert_close

CALLS = {
    'convolution_2d': lambda m, x, W, g: m.convolution_2d(x, W),
    'batch_normalization': lambda m, x, W, g: m.batch_normalization(
        x, g, g),
    'fixed_batch_normalization': (
        lambda m, x, W, g: m.fixed_batch_normalization(x, g, g, g, g)),
    'max_pooling_2d': lambda m, x, W, g: m.max_pooling_2d(x, 2),
    'average_pooling_2d': lambda m, x, W, g: m.average_pooling_2d(x, 2)}


def in_layout(x):
    return x.as_layout(memory_layouts.CUDNN_CHANNEL_LAST_X)


@pytest.fixture
def arrays(device):
    return [device.send(numpy.random.uniform(.5, 1, shape).astype('f'))
            for shape in ((2, 4, 6, 6), (4, 4, 3, 3), (4,))]


def outcome(function, *args):
    """What it gives, or the type of what it raises."""
    try:
        return function(*args)
    except (AssertionError, RuntimeError, ValueError) as e:
        return type(e)


@pytest.mark.parametrize('name', CALLS)
def test_as_chainers(arrays, name):
    """Also where that is an error: it needs cuDNN, but for little."""
    def forward(module, x, W, g):
        y = CALLS[name](module, in_layout(x), W, g)
        assert y.layout == memory_layouts.CUDNN_CHANNEL_LAST_X
        return y.as_layout(None)

    def backward(y, x, g):
        F.sum(F.sin(y)).backward()
        return x.grad, g.grad

    outcomes = []
    for module in (F, functions):
        x, W, g = [chainer.Variable(a.copy()) for a in arrays]
        y = outcome(forward, module, x, W, g)
        found = [y]
        if not isinstance(y, type):
            found.append(outcome(backward, y, x, g))
        outcomes.append(found)
    for ours, chainers in zip(*outcomes[::-1], strict=True):
        if isinstance(chainers, type):
            assert ours is chainers
        elif isinstance(chainers, tuple):
            assert_close([chainers, ours], 1e-5)
        else:
            assert_close([[chainers], [ours]], 1e-5)


@pytest.mark.parametrize('quantizer', [
    quantizers.TTQ, quantizers.TWN, quantizers.Sign])
@pytest.mark.parametrize('inputs', [lambda: None, quantizers.Sign])
def test_quantized_convolution(device, arrays, quantizer, inputs):
    with chainer.using_config('compute_mode', 'cudnn_fast'):
        layer = links.QuantizedConvolution2D(
            4, 3, 3, weight_quantizer=quantizer(),
            input_quantizer=inputs())
        layer.to_device(device)
        outcomes = []
        for prepare in (lambda x: x, in_layout):
            layer.cleargrads()
            x = chainer.Variable(arrays[0] - numpy.float32(.75))
            y = layer(prepare(x))
            F.sum(F.sin(y)).backward()
            outcomes.append([y, x.grad, layer.W.grad])
    assert_close(outcomes, 1e-6)
