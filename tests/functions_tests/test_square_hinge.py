"""The square hinge loss against its formula."""

import chainer
from chainer import functions as F
import numpy
import pytest

from quantized_net import functions
from testing import to_cpu


def test_worked_example(device):
    y = device.send(numpy.array([[2., -2, .5], [0, 0, 0]], 'f'))
    t = device.send(numpy.array([0, 2], 'i'))
    # of the first: 0, 0 and (1 + .5)^2; of the second: 1, 1 and 1
    assert float(functions.square_hinge(y, t).array) == pytest.approx(
        (2.25 + 3) / 6)


@pytest.mark.parametrize('dtype', [numpy.float16, numpy.float32,
                                   numpy.float64])
def test_value_and_gradient(device, dtype):
    y = numpy.random.normal(0, 2, (7, 10)).astype(dtype)
    t = numpy.random.randint(0, 10, 7).astype('i')
    signs = 2 * numpy.eye(10)[t] - 1
    margin = numpy.maximum(0, 1 - signs * y.astype('d'))
    variable = chainer.Variable(device.send(y))
    loss = functions.square_hinge(variable, device.send(t))
    assert loss.dtype == dtype and loss.shape == ()
    tolerance = 1e-5 if dtype != numpy.float16 else 2e-3
    assert float(loss.array) == pytest.approx((margin ** 2).mean(), tolerance)
    loss.backward()
    numpy.testing.assert_allclose(
        to_cpu(variable.grad), -2 * signs * margin / y.size, tolerance,
        tolerance)


def test_it_is_that_of_chainer_for_one_class():
    y = chainer.Variable(numpy.random.normal(size=(5, 4)).astype('f'))
    t = numpy.array([0, 1, 2, 3, 0], 'i')
    assert float(functions.square_hinge(y, t).array) == pytest.approx(
        float(F.hinge(y, t, norm='L2').array) / 4)


def test_half_precision_does_not_overflow(device):
    y = device.send(numpy.full((100, 10), 200, numpy.float16))
    t = device.send(numpy.zeros(100, 'i'))
    # 201^2 nine times, 0 once
    assert float(functions.square_hinge(y, t).array) == pytest.approx(
        .9 * 201 ** 2, 2e-3)


def test_nan_comes_out(device):
    y = device.send(numpy.array([[numpy.nan, 1]], 'f'))
    assert numpy.isnan(float(functions.square_hinge(
        y, device.send(numpy.array([1], 'i'))).array))
