"""Top-k accuracy against sorting."""

import chainer
import numpy
import pytest

from quantized_net import functions


@pytest.mark.parametrize('k', [1, 2, 5, 20])
def test_against_sorting(device, k):
    y = numpy.random.normal(size=(50, 9)).astype('f')
    t = numpy.random.randint(0, 9, 50).astype('i')
    expected = numpy.mean([
        t[i] in numpy.argsort(-y[i])[:k] for i in range(50)])
    found = functions.top_k_accuracy(
        chainer.Variable(device.send(y)), device.send(t), k)
    assert found.shape == () and abs(float(found.array) - expected) < 1e-6


def test_nan_is_never_right_and_equals_count():
    y = numpy.array([[numpy.nan, 1, 2], [1, 1, 1], [3, numpy.nan, 1]], 'f')
    t = numpy.array([0, 2, 0], 'i')
    assert float(functions.top_k_accuracy(y, t, 1).array) == (
        pytest.approx(2 / 3))
