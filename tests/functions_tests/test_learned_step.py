"""A learned step against LSQ's formulas."""

import chainer
import numpy
import pytest

from quantized_net import functions
from quantized_net import quantizers
from testing import to_cpu

NAN, INF = float('nan'), float('inf')


@pytest.mark.parametrize('low,high', [(-2, 1), (-8, 7), (0, 3)])
@pytest.mark.parametrize('dtype,tolerance', [
    (numpy.float16, 1e-2), (numpy.float32, 1e-5), (numpy.float64, 1e-10)])
def test_values_and_gradients(device, low, high, dtype, tolerance):
    x, gy = numpy.random.normal(size=(2, 6, 5)).astype(dtype)
    step = dtype(.25)
    x[0] = [.25 * low, .25 * high, .125, .375, 0]
    x_, step_ = [chainer.Variable(device.send(numpy.asarray(a)))
                 for a in (x, step)]
    y = functions.learned_step(x_, step_, low, high)
    y.grad = device.send(gy)
    y.backward()
    ratio = x.astype('d') / .25
    k = numpy.round(ratio.clip(low, high))
    numpy.testing.assert_array_equal(to_cpu(y), k * .25)
    inside = (ratio > low) & (ratio < high)
    numpy.testing.assert_array_equal(
        to_cpu(x_.grad), numpy.where(inside, gy, 0))
    factor = numpy.where(inside, k - ratio, k)
    assert step_.grad.dtype == dtype and step_.grad.shape == ()
    assert float(step_.grad) == pytest.approx(
        (gy.astype('d') * factor).sum(), tolerance, 10 * tolerance)


def test_worked_example(device):
    """Figure by hand: step .5, two signed bits, -1, -.5, 0, .5."""
    x = chainer.Variable(device.send(numpy.array(
        [-3, -.6, .2, .3, 2], 'f')))
    step = chainer.Variable(device.send(numpy.array(.5, 'f')))
    y = functions.learned_step(x, step, -2, 1)
    assert to_cpu(y).tolist() == [-1, -.5, 0, .5, .5]
    y.grad = device.send(numpy.ones(5, 'f'))
    y.backward()
    assert to_cpu(x.grad).tolist() == [0, 1, 1, 1, 0]
    # -2, then -1 + 1.2, 0 - .4, 1 - .6, then 1
    assert float(step.grad) == pytest.approx(-2 + .2 - .4 + .4 + 1, 1e-5)


def test_nan_and_infinity(device):
    x = chainer.Variable(device.send(numpy.array([NAN, INF, -INF, 1], 'f')))
    step = chainer.Variable(device.send(numpy.array(1, 'f')))
    y = functions.learned_step(x, step, -2, 1)
    numpy.testing.assert_equal(to_cpu(y).tolist(), [NAN, 1, -2, 1])
    y.grad = device.send(numpy.ones(4, 'f'))
    y.backward()
    assert to_cpu(x.grad).tolist() == [0, 0, 0, 0]
    assert numpy.isnan(float(step.grad))
    y = functions.learned_step(
        x, device.send(numpy.array(NAN, 'f')), -2, 1)
    assert numpy.isnan(to_cpu(y)).all()


@pytest.mark.parametrize('step,gy,value,gradient', [
    (.5, 3, .5, 6), (.5, -3, .5, -6), (-1, 3, .25, 0), (-1, -3, .25, -6),
    (.25, 3, .25, 6)])
def test_positive_step(device, step, gy, value, gradient):
    """Below the bound it goes no further down, and comes back."""
    step = chainer.Variable(device.send(numpy.array(step, 'f')))
    y = functions.positive_step(step, .25, 2.)
    y.grad = device.send(numpy.array(gy, 'f'))
    y.backward()
    assert (float(y.array), float(step.grad)) == (value, gradient)


def test_positive_step_of_nan_and_bad_bounds():
    assert numpy.isnan(functions.positive_step(
        numpy.array(NAN, 'f'), .25).array)
    with pytest.raises(ValueError, match='least must be above 0'):
        functions.positive_step(numpy.array(1, 'f'), 0)


@pytest.mark.parametrize('make,expected', [
    (lambda: quantizers.LSQ(4), 2 * 2 / 7 ** .5),
    (lambda: quantizers.LSQ(2), 2 * 2 / 1 ** .5),
    (lambda: quantizers.LSQ(1), 2.),  # the mean
    (lambda: quantizers.LSQActivation(3), 2 * 2 / 7 ** .5),
    (lambda: quantizers.LSQActivation(3, True), 2 * 2 / 3 ** .5)])
def test_the_first_step(device, make, expected):
    """From the array, once; what only looks stores nothing."""
    array = device.send(numpy.array([[1, -2], [-4, 1]], 'f'))
    link = make()
    link.to_device(device)
    looked = to_cpu(link(array))
    assert float(link.step.array) == 1 and not link.initialized
    link.initialize_from(array)
    assert float(link.step.array) == pytest.approx(expected, 1e-5)
    numpy.testing.assert_array_equal(to_cpu(link(array)), looked)
    link.initialize_from(2 * array)
    assert float(link.step.array) == pytest.approx(expected, 1e-5)
    assert link.copy('init').initialized is False


def test_the_first_step_of_zeros_and_of_half_precision(device):
    link = quantizers.LSQ(4)
    link.to_device(device)
    link.initialize_from(device.send(numpy.zeros((2, 3), 'f')))
    assert float(link.step.array) == 1
    link = quantizers.LSQ(4)
    link.to_device(device)
    # a sum of float16 would overflow
    link.initialize_from(device.send(numpy.full(5000, 60, numpy.float16)))
    assert float(link.step.array) == pytest.approx(120 / 7 ** .5, 1e-3)


@pytest.mark.parametrize('make,n,high', [
    (lambda: quantizers.LSQ(4), 60, 7),
    (lambda: quantizers.LSQActivation(4), 6, 15)])
def test_the_gradient_scale(device, make, n, high):
    """1 / sqrt(N Qp): of all weights, of the features of an example."""
    x = device.send(numpy.random.normal(size=(10, 2, 3)).astype('f'))
    link = make()
    link.to_device(device)
    link.initialize_from(x)
    link.cleargrads()
    gy = device.send(numpy.random.normal(size=x.shape).astype('f'))
    y = link(x)
    y.grad = gy
    y.backward()
    ratio = to_cpu(x).astype('d') / float(link.step.array)
    k = numpy.round(ratio.clip(link.low, high))
    inside = (ratio > link.low) & (ratio < high)
    expected = (to_cpu(gy) * numpy.where(inside, k - ratio, k)).sum()
    assert float(link.step.grad) == pytest.approx(
        expected / (n * high) ** .5, 1e-3)


def test_the_step_of_signs(device):
    link = quantizers.LSQ(1)
    link.to_device(device)
    W = chainer.Variable(device.send(numpy.array([1, -3, 0, 2], 'f')))
    link.initialize_from(W.array)
    link.cleargrads()
    y = link(W)
    assert to_cpu(y).tolist() == [1.5, -1.5, 1.5, 1.5]
    y.grad = device.send(numpy.array([1, 2, 3, 4], 'f'))
    y.backward()
    assert to_cpu(W.grad).tolist() == [1.5, 3, 4.5, 6]
    assert float(link.step.grad) == pytest.approx(6 / 2)


def test_a_negative_step_is_taken_as_the_least(device):
    link = quantizers.LSQ(3)
    link.initialized = True
    link.step.array[...] = -1
    link.to_device(device)
    W = device.send(numpy.array([-.5, .5], 'f'))
    assert to_cpu(link(W)).tolist() == [-4 * 2. ** -16, 3 * 2. ** -16]
