"""Shift-based AdaMax against its formula, written apart."""

import chainer
from chainer import links as L
import numpy
import pytest

from quantized_net import optimizers
from testing import to_cpu


def power(x):
    x = numpy.asarray(x, 'd')
    with numpy.errstate(divide='ignore'):
        return numpy.sign(x) * 2. ** numpy.round(numpy.log2(abs(x)))


def expected_after(x, gradients, alpha, eta):
    m = v = numpy.zeros(x.shape)
    x = x.astype('d')
    for t, g in enumerate(gradients, 1):
        m = .9 * m + .1 * g
        v = numpy.maximum(.999 * v, abs(g))
        x = x - power(alpha / (1 - .9 ** t)) * eta * m / (
            power(v) + 2. ** -27)
    return x


@pytest.mark.parametrize('dtype,tolerance', [
    (numpy.float16, 2e-2), (numpy.float32, 1e-5), (numpy.float64, 1e-10)])
def test_update(device, dtype, tolerance):
    x = numpy.random.normal(size=(5, 3)).astype(dtype)
    gradients = [numpy.random.normal(size=x.shape).astype(dtype)
                 for _ in range(6)]
    link = chainer.Link()
    with link.init_scope():
        link.x = chainer.Parameter(x.copy())
    link.to_device(device)
    optimizer = optimizers.ShiftAdaMax(.02, eta=4.).setup(link)
    for gradient in gradients:
        link.x.grad = device.send(gradient)
        optimizer.update()
    assert link.x.dtype == dtype
    numpy.testing.assert_allclose(
        to_cpu(link.x), expected_after(x, gradients, .02, 4), tolerance,
        tolerance)


def test_a_constant_gradient_moves_by_powers_of_two():
    link = L.Linear(1, 1, initialW=0)
    optimizer = optimizers.ShiftAdaMax(2 ** -6).setup(link)
    positions = [0.]
    for _ in range(200):
        link.W.grad = numpy.full((1, 1), .25, 'f')
        link.b.grad = None  # a parameter without a gradient stays
        optimizer.update()
        positions.append(float(link.W.array[0, 0]))
    # m is .25 by then, and so is AP2(v)
    assert positions[-2] - positions[-1] == pytest.approx(2 ** -6, 1e-4)
    assert float(link.b.array[0]) == 0


def test_no_gradient_and_nan(device):
    link = L.Linear(2, 1)
    link.to_device(device)
    optimizer = optimizers.ShiftAdaMax().setup(link)
    before = to_cpu(link.W).copy()
    link.W.grad = device.send(numpy.zeros((1, 2), 'f'))
    link.b.grad = device.send(numpy.full(1, numpy.nan, 'f'))
    optimizer.update()
    numpy.testing.assert_array_equal(to_cpu(link.W), before)
    assert numpy.isnan(to_cpu(link.b)).all()


def test_resume_is_bit_identical(tmp_path):
    def make():
        numpy.random.seed(3)
        link = L.Linear(4, 2)
        return link, optimizers.ShiftAdaMax().setup(link)

    def step(link, optimizer, k):
        for param in link.params():
            param.grad = numpy.random.RandomState(k).normal(
                size=param.shape).astype('f')
        optimizer.update()

    whole, optimizer = make()
    for k in range(4):
        step(whole, optimizer, k)
        if k == 1:
            for name, saved in (('l', whole), ('o', optimizer)):
                chainer.serializers.save_npz(str(tmp_path / name), saved)
    resumed, optimizer = make()
    for name, saved in (('l', resumed), ('o', optimizer)):
        chainer.serializers.load_npz(str(tmp_path / name), saved)
    for k in (2, 3):
        step(resumed, optimizer, k)
    assert (resumed.W.array == whole.W.array).all()
