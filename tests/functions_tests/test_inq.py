"""The powers of two of INQ against the paper's formulas."""

import fractions
import math

import chainer
import numpy
import pytest

from quantized_net import functions
from testing import to_cpu


def oracle(w, bits, n1):
    """Eq. 4 in exact arithmetic, searched and not computed."""
    powers = [fractions.Fraction(2) ** n for n in range(
        n1 + 1 - 2 ** (bits - 1) // 2, n1 + 1)]
    sorted_set = [fractions.Fraction(0)] + powers
    magnitude = abs(fractions.Fraction(float(w)))
    for alpha, beta in zip(sorted_set, powers):
        if (alpha + beta) / 2 <= magnitude < beta * 3 / 2:
            return math.copysign(float(beta), w)
    return math.copysign(float(powers[-1]), w) if (
        magnitude > powers[-1]) else 0.


BELOW = numpy.nextafter(numpy.float32(.75), numpy.float32(0))


@pytest.mark.parametrize('s,expected', [
    (1., 0), (.75, 0), (BELOW, -1), (1.4999, 0), (1.5, 1),
    (.1, -3), (6., 3), (5.9, 2)])
def test_largest_exponent(device, s, expected):
    W = device.send(numpy.array([[.01, -s], [0, .02]], 'f'))
    assert functions.largest_exponent(W) == expected
    assert expected == math.floor(math.log2(4 * float(s) / 3))


def test_largest_exponent_on_the_boundary():
    assert functions.largest_exponent(numpy.zeros((2, 3), 'f')) == 0
    assert functions.largest_exponent(numpy.zeros((0, 3), 'f')) == 0
    W = numpy.array([.3, numpy.nan, -numpy.inf, numpy.inf], 'f')
    assert functions.largest_exponent(W) == -2


@pytest.mark.parametrize('bits,exponents', [
    (2, [-1]), (3, [-2, -1]), (4, [-4, -3, -2, -1]), (5, range(-8, 0))])
def test_magnitudes(bits, exponents):
    """5 bits: 8 magnitudes; 2 bits: n2 = n1."""
    assert functions.inq_magnitudes(bits, -1) == [2. ** e for e in exponents]


def test_worked_example():
    """Magnitudes 1/4 and 1/2: zero below 1/8, not below 1/4."""
    W = numpy.array([.12, .125, -.2, .37, .375, -.74, .8, -9, -.1, 0], 'f')
    assert functions.inq(W, 3, -1).array.tolist() == [
        0, .25, -.25, .25, .5, -.5, .5, -.5, 0, 0]


@pytest.mark.parametrize('dtype', ['e', 'f', 'd'])
@pytest.mark.parametrize('bits', [2, 3, 4, 5])
def test_against_the_oracle(device, dtype, bits):
    W = numpy.random.normal(0, .2, (7, 5, 3)).astype(dtype)
    # the boundaries themselves, and what is next to them
    edges = numpy.array(functions.inq_boundaries(
        functions.inq_magnitudes(bits, -1)), dtype)
    W.ravel()[:len(edges)] = edges
    W.ravel()[20:20 + len(edges)] = -numpy.nextafter(
        edges, numpy.zeros_like(edges))
    y = functions.inq(device.send(W), bits, -1)
    assert y.dtype == W.dtype and y.shape == W.shape
    expected = [oracle(w, bits, -1) for w in W.ravel()]
    assert to_cpu(y).ravel().tolist() == expected


def test_what_is_not_finite(device):
    W = device.send(numpy.array([numpy.nan, numpy.inf, -numpy.inf, -0.], 'f'))
    y = to_cpu(functions.inq(W, 4, 0))
    assert numpy.isnan(y[0]) and y[1:].tolist() == [1, -1, 0]


def test_the_gradient_passes(device):
    W = device.send(numpy.array([.01, .3, -4], 'f'))
    W = chainer.Variable(W)
    y = functions.inq(W, 3, -1)
    y.grad = device.send(numpy.array([2, -3, 5], 'f'))
    y.backward()
    assert to_cpu(W.grad).tolist() == [2, -3, 5]
