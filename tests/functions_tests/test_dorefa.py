"""DoReFa-Net's weights, activations and gradients, against the formulas."""

import chainer
import numpy
import pytest

from quantized_net import functions
from quantized_net import quantizers
from testing import to_cpu

NAN = float('nan')
DTYPES = [(numpy.float16, 2e-2), (numpy.float32, 1e-5),
          (numpy.float64, 1e-10)]


def weights_and_gradient(W, gy, bits):
    """The formulas in float64, and the gradient of the formulas."""
    if bits == 1:
        return numpy.where(W >= 0, 1, -1) * abs(W).mean(), gy
    n = 2 ** bits - 1
    t = numpy.tanh(W)
    m = abs(t).max()
    y = 2 * numpy.round(n * (t / (2 * m) + .5)) / n - 1
    # y = t / m but for the rounding; m is one of the t
    g = gy / m
    g.flat[abs(t).argmax()] -= numpy.sign(
        t.flat[abs(t).argmax()]) * (gy * t).sum() / m ** 2
    return y, g * (1 - t ** 2)


@pytest.mark.parametrize('bits', [1, 2, 3, 8])
@pytest.mark.parametrize('dtype,tolerance', DTYPES)
def test_weights(device, bits, dtype, tolerance):
    W, gy = numpy.random.normal(size=(2, 4, 3, 5, 2)).astype(dtype)
    W.flat[7] = 2.5  # the largest, and one alone
    variable = chainer.Variable(device.send(W))
    y = functions.dorefa_weight(variable, bits)
    y.grad = device.send(gy)
    y.backward()
    expected, gradient = weights_and_gradient(
        W.astype('d'), gy.astype('d'), bits)
    assert y.dtype == variable.grad.dtype == dtype
    if bits == 8 and dtype != numpy.float64:
        # a weight beside a boundary may be on its other side
        assert abs(to_cpu(y) - expected).max() < 2.1 / 255
    else:
        numpy.testing.assert_allclose(to_cpu(y), expected, tolerance,
                                      tolerance)
    numpy.testing.assert_allclose(
        to_cpu(variable.grad), gradient, tolerance, 2 * tolerance)


def test_worked_example_of_two_bits(device):
    # tanh of the logarithms of 3, 2, 7/5: .8, .6, .324...
    W = device.send(numpy.log(numpy.array(
        [3, 2, 1.4, 1, 1 / 1.4, 1 / 3.]), dtype='d'))
    y = to_cpu(functions.dorefa_weight(W, 2))
    # t / .8 is 1, .75, .405, 0, -.405, -1, on levels 1, 1/3, -1/3, -1
    numpy.testing.assert_allclose(y, [1, 1, 1 / 3, 1 / 3, -1 / 3, -1])


def test_the_gradient_of_the_maximum_is_shared_by_equals():
    W = chainer.Variable(numpy.array([1, -1, .5], 'd'))
    y = functions.dorefa_weight(W, 4)
    y.grad = numpy.ones(3)
    y.backward()
    t = numpy.tanh(W.array)
    part = t.sum() / t[0] ** 2 / 2
    numpy.testing.assert_allclose(W.grad, (1 - t ** 2) * (
        1 / t[0] - part * numpy.array([1, -1, 0])))


@pytest.mark.parametrize('bits', [1, 2, 5])
def test_weights_of_zeros_and_nan(device, bits):
    y = to_cpu(functions.dorefa_weight(
        device.send(numpy.zeros((2, 3), 'f')), bits))
    assert numpy.isfinite(y).all()
    y = to_cpu(functions.dorefa_weight(
        device.send(numpy.array([1, NAN, -2], 'f')), bits))
    assert numpy.isnan(y).all()


@pytest.mark.parametrize('bits', [1, 2, 4, 8, 12])
@pytest.mark.parametrize('dtype', [d for d, _ in DTYPES])
@pytest.mark.parametrize('make', [
    quantizers.DoReFa, quantizers.DoReFaActivation, quantizers.LSQ,
    quantizers.LSQActivation])
def test_encode_is_exact_in_every_dtype(device, make, bits, dtype):
    x = device.send(numpy.random.normal(size=(20, 30)).astype(dtype))
    quantizer = make(bits)
    quantizer.to_device(device)
    codes, codebook = quantizer.encode(x)
    assert codebook.dtype == dtype and len(codebook) == 2 ** bits
    values = quantizer(x).array
    assert values.dtype == dtype
    assert bool((quantizers.decode(codes, codebook) == values).all())
    assert int(codes.max()) < 2 ** bits


@pytest.mark.parametrize('bits', [1, 2, 8])
@pytest.mark.parametrize('dtype,tolerance', DTYPES)
def test_activations(device, bits, dtype, tolerance):
    x, gy = numpy.random.uniform(-.5, 1.5, (2, 7, 6)).astype(dtype)
    x[0, :5] = [0, 1, -1e-3, 1.001, .5]
    n = 2 ** bits - 1
    variable = chainer.Variable(device.send(x))
    y = functions.dorefa_activation(variable, bits)
    y.grad = device.send(gy)
    y.backward()
    numpy.testing.assert_allclose(
        to_cpu(y), numpy.round(n * x.astype('d').clip(0, 1)) / n, tolerance,
        tolerance)
    numpy.testing.assert_array_equal(
        to_cpu(variable.grad), numpy.where((x >= 0) & (x <= 1), gy, 0))


def test_activations_on_the_boundary(device):
    x = chainer.Variable(device.send(numpy.array(
        [.5, -.5, 2, NAN, float('inf')], 'f')))
    y = functions.dorefa_activation(x, 1)
    # half a step to the even level
    numpy.testing.assert_equal(to_cpu(y).tolist(), [0, 0, 1, NAN, 1])
    y.grad = device.send(numpy.ones(5, 'f'))
    y.backward()
    assert to_cpu(x.grad).tolist() == [1, 0, 0, 0, 0]


@pytest.mark.parametrize('bits', [1, 2, 6])
@pytest.mark.parametrize('dtype,tolerance', DTYPES)
def test_gradients_against_the_formula(device, bits, dtype, tolerance):
    g = numpy.random.normal(size=(5, 3, 4)).astype(dtype)
    g[2] = 0
    draws = numpy.random.uniform(size=g.shape)
    n = 2 ** bits - 1
    found = to_cpu(functions.dorefa_gradient_values(
        device.send(g), bits, device.send(draws)))
    assert found.dtype == dtype
    for one, its, drawn in zip(g.astype('d'), found, draws):
        m = abs(one).max()
        if m == 0:
            assert (its == 0).all()
            continue
        # in the set of the codes: 2 m (k / n - 1 / 2)
        codes = (its.astype('d') / (2 * m) + .5) * n
        numpy.testing.assert_allclose(codes, codes.round(), 0, n * tolerance)
        exact = ((one / (2 * m) + .5 + (drawn - .5) / n).clip(0, 1)) * n
        # within half a code, of which the dtype may miss a bit
        assert abs(codes - exact).max() <= .5 + n * tolerance


def test_gradients_are_unbiased(device):
    """But for the largest; within five standard deviations of the mean."""
    g = numpy.array([1, .7, -.45, .1, 0, -.3], 'f')
    n = 20000
    device.xp.random.seed(1)
    x = chainer.Variable(device.send(numpy.broadcast_to(g, (n, 6)).copy()))
    y = functions.dorefa_gradient(x, 2)
    assert y.array is x.array  # an identity
    y.grad = x.array
    y.backward()
    found = to_cpu(x.grad).astype('d')
    # two levels beside each value, 2 / 3 apart
    bound = 5 * (2 / 3 / 2) / n ** .5
    assert (abs(found.mean(axis=0) - g)[1:] < bound).all()
    assert len(numpy.unique(found.round(5))) <= 4
    # drawn for each entry, not once for all
    assert 0 < abs(numpy.corrcoef(found[:, 1], found[:, 3])[0, 1]) < .05


def test_gradients_of_an_example_know_no_other(device):
    g = numpy.array([[1, -2], [1e-6, 2e-6], [NAN, 1], [0, 0]], 'f')
    found = to_cpu(functions.dorefa_gradient_values(
        device.send(g), 1, device.send(numpy.full(g.shape, .5))))
    numpy.testing.assert_allclose(
        found, [[2, -2], [2e-6, 2e-6], [NAN, NAN], [0, 0]], 1e-5)


def test_an_empty_batch(device):
    assert functions.dorefa_gradient_values(
        device.send(numpy.zeros((0, 3), 'f')), 2,
        device.send(numpy.zeros((0, 3)))).shape == (0, 3)


@pytest.mark.parametrize('function', [
    functions.dorefa_weight, functions.dorefa_activation,
    functions.dorefa_gradient])
@pytest.mark.parametrize('bits', [0, 17, 1.5])
def test_bad_bits(function, bits):
    with pytest.raises(ValueError, match='bits must be from 1 to 16'):
        function(numpy.zeros((1, 2), 'f'), bits)
