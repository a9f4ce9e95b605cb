"""The linear function of a binary weight beside Chainer's."""

import functools

import chainer
from chainer import functions as F
from chainer.utils import type_check
import numpy
import pytest

from quantized_net import functions
from quantized_net.kernels import sign_product
from testing import assert_close

TOLERANCE = {'e': 2e-2, 'f': 2e-5, 'd': 1e-10}


def signs_of(shape, dtype):
    return numpy.where(
        numpy.random.uniform(size=shape) < .5, -1, 1).astype(dtype)


def draw(shape, dtype):
    return numpy.random.uniform(-1, 1, shape).astype(dtype)


def both(device, arrays, compute, **options):
    """What Chainer's function gives, and ours."""
    for function in F.linear, functools.partial(
            functions.binary_linear, **options):
        yield compute(function, *[
            None if a is None else chainer.Variable(device.send(a.copy()))
            for a in arrays])


@pytest.mark.parametrize('n,n_in,n_out', [
    (1, 1, 1), (1, 40, 17), (7, 64, 100), (100, 33, 10), (2, 784, 130)])
@pytest.mark.parametrize('dtype', ['e', 'f', 'd'])
@pytest.mark.parametrize('with_bias', [False, True])
@pytest.mark.parametrize('binary_input', [False, True])
def test_output_and_gradients(
        device, n, n_in, n_out, dtype, with_bias, binary_input):
    x = (signs_of if binary_input else draw)((n, n_in), dtype)
    W, b = signs_of((n_out, n_in), dtype), draw(n_out, dtype)
    gy = draw((n, n_out), dtype)

    def compute(function, x, W, b):
        y = function(x, W, b)
        y.grad = device.send(gy)
        y.backward()
        return [y, x.grad, W.grad] + ([] if b is None else [b.grad])

    assert_close(
        both(device, (x, W, b if with_bias else None), compute,
             binary_input=binary_input), TOLERANCE[dtype])


@pytest.mark.parametrize('dtype', ['e', 'f', 'd'])
@pytest.mark.parametrize('binary_input', [False, True])
def test_second_gradients(device, dtype, binary_input):
    x, W = signs_of((5, 20), dtype), signs_of((9, 20), dtype)
    gy, ggx, ggW = [draw(s, dtype) for s in ((5, 9), (5, 20), (9, 20))]

    def compute(function, x, W, gy):
        y = function(x, W)
        gx, gW = chainer.grad(
            [y], [x, W], [gy], enable_double_backprop=True)
        chainer.backward([gx, gW], [chainer.Variable(device.send(a))
                                    for a in (ggx, ggW)])
        return [gx, gW, x.grad, W.grad, gy.grad]

    assert_close(both(device, (x, W, gy), compute,
                      binary_input=binary_input), TOLERANCE[dtype])


@pytest.mark.parametrize('shape,n_batch_axes,n_in', [
    ((4, 3, 2, 2), 1, 12), ((2, 3, 5), 2, 5), ((2, 3, 4, 2), 2, 8)])
def test_batch_axes(device, shape, n_batch_axes, n_in):
    x, W, b = draw(shape, 'f'), signs_of((7, n_in), 'f'), draw(7, 'f')
    y, z = [function(*[device.send(a) for a in (x, W, b)],
                     n_batch_axes=n_batch_axes)
            for function in (F.linear, functions.binary_linear)]
    assert_close([[y], [z]], 2e-5)


def test_binary_operands_are_exact():
    x, W = signs_of((10, 999), 'f'), signs_of((50, 999), 'f')
    numpy.testing.assert_array_equal(
        functions.binary_linear(x, W).array, F.linear(x, W).array)


@pytest.mark.parametrize('dtypes', ['ffd', 'fdf', 'dff', 'eff'])
def test_mixed_types_are_chainers(dtypes):
    arrays = [a.astype(dtype) for a, dtype in zip(
        (draw((4, 6), 'd'), signs_of((3, 6), 'd'), draw(3, 'd')), dtypes)]
    try:
        expected = F.linear(*arrays).array
    except type_check.InvalidType:
        with pytest.raises(type_check.InvalidType):
            functions.binary_linear(*arrays)
        return
    found = functions.binary_linear(*arrays).array
    assert found.dtype == expected.dtype
    numpy.testing.assert_allclose(found, expected, 1e-3, 1e-3)


def test_empty_batch():
    y = functions.binary_linear(
        numpy.zeros((0, 6), 'f'), numpy.ones((3, 6), 'f'))
    assert y.shape == (0, 3)


def test_wrong_sizes():
    with pytest.raises(type_check.InvalidType):
        functions.binary_linear(
            numpy.zeros((2, 5), 'f'), numpy.ones((3, 6), 'f'))


@pytest.mark.parametrize('binary_input,expected', [
    (False, [(4, 7), (4, 5)]), (True, [(4, 5), (5, 4)])])
@pytest.mark.parametrize('dtype', ['f', 'e'])
def test_signs_are_multiplied_as_signs(
        monkeypatch, binary_input, expected, dtype):
    """The input's gradient; the forward, or where the input is binary, too,
    the weight's gradient (and the forward has bits to count)."""
    calls = []
    original = sign_product.sign_product

    def counted(a, signs):
        calls.append(a.shape)
        return original(a, signs)
    monkeypatch.setattr(sign_product, 'sign_product', counted)
    x, W = [chainer.Parameter(numpy.sign(
        numpy.random.uniform(-1, 1, shape)).astype(dtype))
        for shape in ((4, 7), (5, 7))]
    y = functions.binary_linear(x, W, binary_input=binary_input)
    chainer.functions.sum(y).backward()
    # half precision is Chainer's
    assert calls == (expected if dtype == 'f' else [])
