"""TTQ and TWN against the equations and a numerical derivative."""

import chainer
import numpy
import pytest

from quantized_net import functions
from testing import to_cpu

SHAPES = [(1,), (7,), (5, 3), (4, 3, 3, 2)]


def make(device, shape, dtype='f', Wp=.8, Wn=1.3):
    W = numpy.random.uniform(-1, 1, shape).astype(dtype)
    g = numpy.random.uniform(-1, 1, shape).astype(dtype)
    return [chainer.Parameter(device.send(numpy.array(a, dtype)))
            for a in (W, Wp, Wn)], W, g


@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('dtype', ['e', 'f', 'd'])
@pytest.mark.parametrize('gradient', ['true', 'paper_eq7'])
@pytest.mark.parametrize('reduction', ['sum', 'mean'])
def test_equations(device, shape, dtype, gradient, reduction):
    params, W, g = make(device, shape, dtype)
    Wp, Wn = [numpy.array(v, dtype) for v in (.8, 1.3)]
    delta = numpy.array(.3, dtype)
    y = functions.ternary(
        *params, device.send(delta), gradient, reduction)
    expected = numpy.where(W > delta, Wp, numpy.where(W < -delta, -Wn, 0))
    numpy.testing.assert_array_equal(to_cpu(y), expected.astype(dtype))
    assert y.dtype == dtype
    for p in params:
        p.cleargrad()
    y.grad = device.send(g)
    y.backward()
    numpy.testing.assert_array_equal(
        to_cpu(params[0].grad),
        g * numpy.where(W > delta, Wp, numpy.where(W < -delta, Wn, 1)
                        ).astype(dtype))
    g = g.astype('d')
    over_p, over_n = g[W > delta], g[W < -delta]
    reduce = (lambda v: v.sum()) if reduction == 'sum' else (
        lambda v: v.mean() if v.size else 0)
    tolerance = 2e-2 if dtype == 'e' else 1e-5
    numpy.testing.assert_allclose(
        to_cpu(params[1].grad), reduce(over_p), tolerance, tolerance)
    numpy.testing.assert_allclose(
        to_cpu(params[2].grad),
        (1 if gradient == 'paper_eq7' else -1) * reduce(over_n),
        tolerance, tolerance)


@pytest.mark.parametrize('shape', SHAPES)
def test_numerical_derivative_of_the_scales(device, shape):
    (W, Wp, Wn), _, g = make(device, shape, 'd')
    delta = device.send(numpy.array(.3))
    y = functions.ternary(W, Wp, Wn, delta)
    for p in (Wp, Wn):
        p.cleargrad()
    y.grad = device.send(g)
    y.backward()
    for p in (Wp, Wn):
        def loss(value, p=p):
            args = [W.array, Wp.array, Wn.array]
            args[1 if p is Wp else 2] = device.send(numpy.array(value))
            return (to_cpu(functions.ternary(*args, delta)) * g).sum()
        value = float(p.array)
        numerical = (loss(value + 1e-3) - loss(value - 1e-3)) / 2e-3
        assert float(p.grad) == pytest.approx(numerical, abs=1e-9)


def test_printed_sign_is_not_the_derivative(device):
    (W, Wp, Wn), _, g = make(device, (50,), 'd')
    y = functions.ternary(
        W, Wp, Wn, device.send(numpy.array(.3)), 'paper_eq7')
    Wn.cleargrad()
    y.grad = device.send(g)
    y.backward()
    true = -g[to_cpu(W) < -.3].sum()
    assert float(Wn.grad) == pytest.approx(-true)
    assert abs(true) > .1


@pytest.mark.parametrize('w,expected', [
    (.25, 0), (-.25, 0), (.2500001, 2), (-.2500001, -3), (0., 0), (-0., 0),
    (float('nan'), float('nan')), (float('inf'), float('nan')),
    (float('-inf'), float('nan'))])
def test_on_the_boundary(device, w, expected):
    y = functions.ternary(*[device.send(numpy.array(v, 'f'))
                            for v in (w, 2, 3, .25)])
    numpy.testing.assert_equal(float(y.array), expected)


@pytest.mark.parametrize('dtype', ['e', 'f', 'd'])
@pytest.mark.parametrize('order', ['C', 'F'])
@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_nan_and_infinity_are_not_hidden(device, dtype, order, value):
    W = numpy.random.uniform(-1, 1, (40, 30)).astype(dtype, order)
    W[3, 4] = value
    W = device.send(W)
    assert not numpy.isfinite(float(functions.max_threshold(W)))
    Wp, Wn = [device.send(numpy.array(v, dtype)) for v in (.8, 1.3)]
    for delta in (functions.max_threshold(W),
                  functions.quantile_threshold(W, .5)):
        y = to_cpu(functions.ternary(W, Wp, Wn, delta))
        assert numpy.isnan(y[3, 4])
        assert numpy.isnan(y).sum() == (
            1 if numpy.isfinite(float(delta)) else y.size)
    assert numpy.isnan(to_cpu(functions.twn(W))).all()
    y = to_cpu(functions.twn(W, per_filter=True))
    assert (numpy.isnan(y).all(axis=1) == (numpy.arange(40) == 3)).all()


@pytest.mark.parametrize('per_filter', [False, True])
def test_twn_does_not_overflow_in_half_precision(device, per_filter):
    W = numpy.random.normal(size=(300, 1000)).astype('e')
    y = to_cpu(functions.twn(device.send(W), per_filter=per_filter))
    expected = to_cpu(functions.twn(
        W.astype('f'), per_filter=per_filter)).astype('e')
    assert y.dtype == numpy.float16
    numpy.testing.assert_array_equal(y, expected)


def test_sums_do_not_overflow_in_half_precision(device):
    """Sums beyond the numbers of float16 on the way to their mean."""
    W = device.send(numpy.ones(70000, 'e'))
    params = [chainer.Parameter(device.send(numpy.array(1, 'e')))
              for _ in range(2)]
    y = functions.ternary(
        W, *params, device.send(numpy.array(.5, 'e')), reduction='mean')
    y.grad = device.send(numpy.full(70000, 2, 'e'))
    for p in params:
        p.cleargrad()
    y.backward()
    assert [float(p.grad) for p in params] == [2, 0]


@pytest.mark.parametrize('per_filter', [False, True])
@pytest.mark.parametrize('shape', [(0,), (0, 3), (3, 0)])
def test_no_weights(device, shape, per_filter):
    W = device.send(numpy.zeros(shape, 'f'))
    assert float(functions.max_threshold(W)) == 0
    assert float(functions.quantile_threshold(W, .5)) == 0
    assert functions.twn(W, per_filter=per_filter).shape == shape


def test_weights_that_are_no_floats(device):
    W = device.send(numpy.arange(6).reshape(2, 3))
    with pytest.raises(chainer.utils.type_check.InvalidType,
                       match='W.dtype'):
        functions.twn(W)
    for function in (functions.twn_codes, functions.max_threshold,
                     lambda W: functions.quantile_threshold(W, .5)):
        with pytest.raises(TypeError, match='floats'):
            function(W)


def test_max_threshold(device):
    W = device.send(numpy.array([.5, -2, 1], 'f'))
    delta = functions.max_threshold(W, .25)
    assert delta.dtype == numpy.float32 and float(delta) == .5


@pytest.mark.parametrize('sparsity', [0, .1, .5, .93])
@pytest.mark.parametrize('shape', [(10,), (13, 7), (60, 50)])
def test_quantile_threshold(device, sparsity, shape):
    W = numpy.random.uniform(-1, 1, shape).astype('f')
    delta = functions.quantile_threshold(device.send(W), sparsity)
    zeros = int((abs(W) <= float(delta)).sum())
    assert zeros == round(sparsity * W.size)


@pytest.mark.parametrize('per_filter', [False, True])
def test_twn(device, per_filter):
    W = numpy.random.normal(size=(4, 3, 3)).astype('f')
    W[2] = 0  # a filter that is all zeros
    variable = chainer.Variable(device.send(W))
    y = functions.twn(variable, .7, per_filter)
    expected = numpy.zeros_like(W)
    for part in (range(4) if per_filter else [slice(None)]):
        w = W[part]
        above = abs(w) > .7 * abs(w).mean()
        if above.any():
            expected[part] = numpy.sign(w) * above * abs(w)[above].mean()
    numpy.testing.assert_allclose(to_cpu(y), expected, 1e-6)
    g = numpy.random.uniform(-1, 1, W.shape).astype('f')
    y.grad = device.send(g)
    y.backward()
    assert (to_cpu(variable.grad) == g).all()


@pytest.mark.parametrize('options', [
    {'gradient_of_Wn': 'no'}, {'reduction': 'max'}])
def test_bad_options(options):
    with pytest.raises(ValueError):
        functions.ternary(*numpy.ones(4, 'f'), **options)
