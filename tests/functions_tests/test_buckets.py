"""Points of buckets against the formulas, written out."""

import chainer
import numpy
import pytest

from quantized_net import functions
from testing import to_cpu


def buckets_of(W, size):
    flat = W.astype('d').ravel()
    return [flat[i:i + size] for i in range(0, len(flat), size)]


def oracle(W, bits, size):
    """Deterministic rounding, bucket by bucket; the lower of two."""
    s, found = 2 ** bits, []
    for v in buckets_of(W, size):
        beta, alpha = v.min(), v.max() - v.min()
        alpha = 1 if alpha < 1e-10 else alpha
        # a half is a half after the division, too
        t = ((v - beta) / alpha * (s - 1)).round(9)
        found += list(beta + alpha * numpy.ceil(t - .5) / (s - 1))
    return numpy.reshape(found, W.shape)


@pytest.mark.parametrize('size', [1, 5, 256])
@pytest.mark.parametrize('bits', [1, 2, 4, 8])
@pytest.mark.parametrize('dtype', ['e', 'f', 'd'])
def test_uniform_points(device, bits, size, dtype):
    W = numpy.random.normal(0, .3, (23, 3, 5)).astype(dtype)
    W[:2] = .125  # no range
    y = functions.uniform_buckets(device.send(W), bits, size)
    assert y.dtype == dtype
    tolerance = 2e-3 if dtype == 'e' else 2e-6
    numpy.testing.assert_allclose(
        to_cpu(y), oracle(W, bits, size), tolerance, tolerance)
    for bucket in buckets_of(to_cpu(y), size):
        assert len(numpy.unique(bucket)) <= 2 ** bits


def test_worked_example():
    W = numpy.array([-1, -.4, .1, 2, 5, 5], 'f')
    y = functions.uniform_buckets(W, 2, 4).array  # -1, 0, 1, 2; then 5
    assert y.tolist() == [-1, 0, 0, 2, 5, 5]


def test_stochastic_points_are_unbiased(device):
    W = numpy.full(40000, .3, 'f')
    W[::100], W[1::100] = 0, 1
    y = to_cpu(functions.uniform_buckets(
        device.send(W), 1, 100, key=5)).astype('d')
    drawn = y[W == numpy.float32(.3)]
    assert set(drawn.tolist()) == {0, 1}
    spread = (.3 * .7 / len(drawn)) ** .5
    assert abs(drawn.mean() - .3) < 5 * spread
    # the same for the same key, others for another
    again = to_cpu(functions.uniform_buckets(device.send(W), 1, 100, key=5))
    other = to_cpu(functions.uniform_buckets(device.send(W), 1, 100, key=6))
    assert (again == y).all() and (other != y).any()


def test_what_is_not_finite_fills_its_bucket(device):
    for value in (numpy.nan, numpy.inf, -numpy.inf):
        W = numpy.ones((4, 8), 'f')
        W[1, 3] = value
        y = to_cpu(functions.uniform_buckets(device.send(W), 4, 8))
        assert numpy.isnan(y[1]).all() and (y[[0, 2, 3]] == 1).all()
    assert functions.uniform_buckets(numpy.zeros((0, 3), 'f'), 4).size == 0


def test_the_gradient_passes(device):
    W = chainer.Variable(device.send(numpy.array([.1, .9, -3], 'f')))
    y = functions.uniform_buckets(W, 1)
    y.grad = device.send(numpy.array([1, -2, 3], 'f'))
    y.backward()
    assert to_cpu(W.grad).tolist() == [1, -2, 3]


def points_oracle(W, p, size, g):
    y, gp = [], numpy.zeros(len(p))
    for v, gv in zip(buckets_of(W, size), buckets_of(g, size)):
        beta, alpha = v.min(), v.max() - v.min()
        for x, gx in zip(v, gv):
            j = numpy.argmin(abs((x - beta) / alpha - p))
            y.append(beta + alpha * p[j])
            gp[j] += alpha * gx
    return numpy.reshape(y, W.shape), gp


@pytest.mark.parametrize('size', [7, 256])
def test_points_and_their_gradient(device, size):
    W = numpy.random.normal(0, .3, (11, 4)).astype('f')
    p = numpy.array([.9, .1, .45, .3, 1.1], 'f')  # in no order
    g = numpy.random.normal(size=W.shape).astype('f')
    W_, p_ = [chainer.Variable(device.send(a)) for a in (W, p)]
    y = functions.nearest_of_points(W_, p_, size)
    expected, gp = points_oracle(W, p.astype('d'), size, g)
    numpy.testing.assert_allclose(to_cpu(y), expected, 1e-5, 1e-6)
    y.grad = device.send(g)
    y.backward()
    assert (to_cpu(W_.grad) == g).all()
    numpy.testing.assert_allclose(to_cpu(p_.grad), gp, 1e-5, 1e-5)


def test_gradient_of_the_points_is_numerical():
    W = numpy.random.normal(size=(6, 5))
    g = numpy.random.normal(size=W.shape)
    p = chainer.Variable(numpy.array([.05, .3, .62, .97]))
    y = functions.nearest_of_points(W, p, 8)
    y.grad = g
    y.backward()
    for j in range(4):
        found = []
        for d in (1e-6, -1e-6):
            moved = p.array.copy()
            moved[j] += d
            found.append((functions.nearest_of_points(
                W, moved, 8).array * g).sum())
        assert (found[0] - found[1]) / 2e-6 == pytest.approx(
            p.grad[j], 1e-4, 1e-6)
