"""What a layer's input in fixed point does, forwards and backwards."""

import chainer
import numpy

import quantized_net
from quantized_net import quantizers
from testing import to_cpu


def test_random_in_training_alone():
    q = quantizers.FixedPoint(2, 3)
    x = numpy.full(200, .3, 'f')
    with chainer.using_config('train', False):
        assert set(q(x).array.tolist()) == {.25}
        q.draw(x)
        assert set(q(x).array.tolist()) == {.25}
    with chainer.using_config('train', True):
        first = q(x).array
        assert set(first.tolist()) == {.25, .375}
        assert (q(x).array == first).all()  # until it draws anew
        q.draw(x)
        assert (q(x).array != first).any()
    q = quantizers.FixedPoint(2, 3, 'nearest')
    q.draw(x)
    with chainer.using_config('train', True):
        assert set(q(x).array.tolist()) == {.25}


def test_a_layer_draws_at_each_forward(device):
    layer = quantized_net.QuantizedLinear(
        50, 3, input_quantizer=quantizers.FixedPoint(2, 2))
    layer.to_device(device)
    x = device.send(numpy.full((2, 50), .3, 'f'))
    assert bool((layer(x).array != layer(x).array).any())
    with chainer.using_config('train', False):
        assert bool((layer(x).array == layer(x).array).all())


def test_errors_are_those_of_an_example(device):
    """Of 5 examples: multiples of 1/4 over 5, saturated at 2 over 5."""
    q = quantizers.FixedPoint(2, 6, 'nearest', error=(2, 2))
    q.to_device(device)
    x = chainer.Variable(device.send(numpy.zeros((5, 2), 'f')))
    y = q(x)
    g = numpy.array([[.26, .09], [.04, 9], [-.3, -9], [0, .1], [1, 1]], 'f')
    y.grad = device.send(g)
    y.backward()
    expected = numpy.clip(numpy.floor(g * 5 * 4 + .5), -8, 7) / 4 / 5
    numpy.testing.assert_allclose(to_cpu(x.grad), expected, 1e-6)


def test_random_errors_are_unbiased(device):
    q = quantizers.FixedPoint(2, 6, error=(2, 3))
    n = 20000
    x = chainer.Variable(device.send(numpy.zeros((n, 4), 'f')))
    y = q(x)
    y.grad = device.send(numpy.full((n, 4), .03 / n, 'f'))
    y.backward()
    g = to_cpu(x.grad).astype('d') * n
    share = .03 * 8  # of the errors becomes 1/8
    spread = (share * (1 - share) / g.size) ** .5 / 8
    assert set(numpy.unique(g.round(6))) == {0, .125}
    assert abs(g.mean() - .03) < 5 * spread
