"""Shift-based BatchNormalization against its formula, written apart."""

import chainer
import numpy
import pytest

from quantized_net import functions
from quantized_net import links
from quantized_net import models
from testing import to_cpu


def power(x):
    x = numpy.asarray(x, 'd')
    with numpy.errstate(divide='ignore'):
        return numpy.sign(x) * 2. ** numpy.round(numpy.log2(abs(x)))


def statistics(x):
    axis = (0,) + tuple(range(2, x.ndim))
    mean = x.mean(axis=axis, keepdims=True)
    c = x - mean
    var = (power(c) * c).mean(axis=axis, keepdims=True)
    return axis, mean, c, var


def column(v, x):
    return v.reshape((1, -1) + (1,) * (x.ndim - 2))


DTYPES = [(numpy.float16, 1e-2), (numpy.float32, 1e-5),
          (numpy.float64, 1e-10)]


@pytest.fixture(params=[(6, 5), (4, 5, 3, 2)])
def arrays(request):
    x = numpy.random.normal(1, 3, request.param)
    gamma, beta = numpy.random.uniform(.3, 3, (2, 5))
    return x, gamma, beta, numpy.random.normal(size=request.param)


@pytest.mark.parametrize('dtype,tolerance', DTYPES)
def test_values_gradients_and_statistics(device, arrays, dtype, tolerance):
    x, gamma, beta, gy = [a.astype(dtype).astype('d') for a in arrays]
    axis, mean, c, var = statistics(x)
    s = power(1 / numpy.sqrt(var + 1e-5))
    y = c * s
    variables = [chainer.Variable(device.send(a.astype(dtype)))
                 for a in (x, gamma, beta)]
    running = [device.send(numpy.full(5, v, 'f')) for v in (2, 3)]
    found = functions.shift_batch_normalization(
        *variables, running_mean=running[0], running_var=running[1])
    assert found.dtype == dtype
    numpy.testing.assert_allclose(
        to_cpu(found), y * column(power(gamma), x) + column(beta, x),
        tolerance, tolerance)
    for r, start, value in zip(running, (2, 3), (mean, var)):
        numpy.testing.assert_allclose(
            to_cpu(r), .875 * start + .125 * value.ravel(), 1e-2)
    found.grad = device.send(gy.astype(dtype))
    found.backward()
    g = gy * column(power(gamma), x)
    gx = s * (g - g.mean(axis=axis, keepdims=True)
              - y * (g * y).mean(axis=axis, keepdims=True))
    for variable, expected in zip(
            variables, (gx, (gy * y).sum(axis=axis), gy.sum(axis=axis))):
        assert variable.grad.dtype == dtype
        numpy.testing.assert_allclose(
            to_cpu(variable.grad), expected, 5 * tolerance, 5 * tolerance)


def test_test_mode_takes_the_running_statistics(device):
    link = links.ShiftBatchNormalization(3)
    link.avg_mean[...] = [1, 2, 3]
    link.avg_var[...] = [4, 9, 1e-6]
    link.gamma.array[...] = [1, 3, 1]
    link.to_device(device)
    x = device.send(numpy.array([[2, 2, 3], [-1, 5, 4]], 'f'))
    with chainer.using_config('train', False):
        y = to_cpu(link(x, relu=True, residual=device.send(
            numpy.full((2, 3), .25, 'f'))))
    # factors 1/2, 1/4 (of 1/3) times 4 (of 3), 256 (of 1 / sqrt 1.1e-5)
    numpy.testing.assert_array_equal(
        y, numpy.array([[.75, .25, .25], [0, 3.25, 256.25]], 'f'))


def test_nan_comes_out(device):
    x = numpy.random.normal(size=(4, 2)).astype('f')
    x[0, 0] = numpy.nan
    link = links.ShiftBatchNormalization(2)
    link.to_device(device)
    y = to_cpu(link(device.send(x)))
    assert numpy.isnan(y[:, 0]).all() and not numpy.isnan(y[:, 1]).any()


def test_a_model_gets_it_in_place():
    model = models.MLP(7)
    names = [name for name, _ in model.namedparams()]
    gamma = model.bn2.gamma
    assert links.to_shift_based(model) == ['bn1', 'bn2', 'bn3']
    assert type(model.bn2) is links.ShiftBatchNormalization
    assert model.bn2.gamma is gamma
    assert [name for name, _ in model.namedparams()] == names
    assert links.to_shift_based(model) == []
    numpy.random.seed(0)
    x = numpy.random.uniform(size=(5, 784)).astype('f')
    assert numpy.isfinite(model(x).array).all()
    assert type(model.copy('init').bn1) is links.ShiftBatchNormalization
