"""Signs with a scale for each filter, against XNOR-Net's formulas."""

import chainer
import numpy
import pytest

from quantized_net import functions
from testing import to_cpu

NAN = float('nan')


@pytest.mark.parametrize('gradient', ['paper', 'straight'])
@pytest.mark.parametrize('shape', [(3, 4), (5, 2, 3, 3), (2, 1), (4,)])
@pytest.mark.parametrize('dtype,tolerance', [
    (numpy.float16, 5e-3), (numpy.float32, 1e-5), (numpy.float64, 1e-12)])
def test_values_and_gradient(device, gradient, shape, dtype, tolerance):
    W, gy = numpy.random.normal(size=(2,) + shape).astype(dtype)
    variable = chainer.Variable(device.send(W))
    y = functions.scaled_sign(variable, gradient)
    y.grad = device.send(gy)
    y.backward()
    exact = W.astype('d')
    axis = tuple(range(1, W.ndim))
    alpha = abs(exact).mean(axis=axis, keepdims=True)
    assert y.dtype == variable.grad.dtype == dtype
    numpy.testing.assert_allclose(
        to_cpu(y), numpy.where(W >= 0, 1, -1) * alpha, tolerance)
    factor = 1.
    if gradient == 'paper':
        factor = 1 / (W.size // len(W)) + alpha * (abs(exact) <= 1)
    numpy.testing.assert_allclose(
        to_cpu(variable.grad), gy * factor, 2 * tolerance, tolerance)


def test_worked_example(device):
    W = chainer.Variable(device.send(numpy.array(
        [[1, -2, 0, -0.], [.5, .5, -.5, -.5]], 'f')))
    y = functions.scaled_sign(W)
    # 0 and -0.0 are positive
    assert to_cpu(y).tolist() == [[.75, -.75, .75, .75],
                                  [.5, .5, -.5, -.5]]
    y.grad = device.send(numpy.ones((2, 4), 'f'))
    y.backward()
    assert to_cpu(W.grad).tolist() == [[1, .25, 1, 1], [.75] * 4]


def test_no_other_scale_is_nearer():
    W = numpy.random.normal(size=(1, 50))
    y = functions.scaled_sign(W).array
    for factor in (.95, .99, 1.01, 1.05):
        assert ((W - y) ** 2).sum() < ((W - factor * y) ** 2).sum()


def test_a_filter_with_a_nan_is_nan_and_others_are_not(device):
    y = to_cpu(functions.scaled_sign(device.send(numpy.array(
        [[1, NAN], [1, -3]], 'f'))))
    assert numpy.isnan(y[0]).all() and y[1].tolist() == [2, -2]


def test_half_precision_does_not_overflow(device):
    y = to_cpu(functions.scaled_sign(device.send(
        numpy.full((1, 5000), 60, numpy.float16))))
    assert (y == 60).all()


def test_bad_arguments():
    with pytest.raises(ValueError, match="'paper' or 'straight'"):
        functions.scaled_sign(numpy.zeros((1, 2), 'f'), 'other')
    with pytest.raises(chainer.utils.type_check.InvalidType):
        functions.scaled_sign(numpy.zeros((1, 2), 'i'))
