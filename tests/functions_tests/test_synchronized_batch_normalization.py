"""BatchNormalization of several processes, played by one or by threads."""

import threading

import chainer
import numpy
import pytest

from quantized_net import functions
from quantized_net import links


class Together(object):

    """The sum over threads, each of which calls it."""

    def __init__(self, n):
        self.barrier = threading.Barrier(n, timeout=60)
        self.arrays = {}
        self.calls = 0

    def __call__(self, array):
        assert array.dtype == numpy.float64
        self.arrays[threading.get_ident()] = array
        self.barrier.wait()
        total = sum(self.arrays[key] for key in sorted(self.arrays))
        if self.barrier.wait() == 0:
            self.calls += 1
        return total


def make(shape, dtype, seed=0):
    rng = numpy.random.RandomState(seed)
    c = shape[1]
    x, residual, gy = [
        rng.normal(3, 2, shape).astype(dtype) for _ in range(3)]
    return (x, rng.uniform(.5, 2, c).astype(dtype),
            rng.normal(0, 1, c).astype(dtype), residual, gy)


def apply(function, arrays, residual, relu, statistics, total=None):
    x, gamma, beta, r, gy = arrays
    variables = [chainer.Variable(a) for a in (x, gamma, beta)]
    extra = chainer.Variable(r) if residual else None
    kwargs = dict(running_mean=statistics[0], running_var=statistics[1],
                  decay=.8, eps=1e-4, residual=extra, relu=relu)
    if total is not None:
        kwargs['total'] = total
    y = function(*variables, **kwargs)
    y.grad = gy
    y.backward()
    return [y.array] + [v.grad for v in variables] + (
        [extra.grad] if residual else [])


@pytest.mark.parametrize('shape', [(6, 5), (4, 3, 5, 6)])
@pytest.mark.parametrize('dtype,tolerance', [
    ('float16', 2e-2), ('float32', 1e-4), ('float64', 1e-10)])
@pytest.mark.parametrize('residual', [False, True])
@pytest.mark.parametrize('relu', [False, True])
def test_of_one_process_it_is_the_ordinary_one(
        device, shape, dtype, tolerance, residual, relu):
    arrays = [device.send(a) for a in make(shape, dtype)]
    results = []
    for function, total in (
            (functions.batch_normalization, None),
            (functions.synchronized_batch_normalization, lambda a: a)):
        statistics = [device.send(numpy.full(
            shape[1], v, 'd' if dtype == 'float64' else 'f'))
            for v in (0, 1)]
        results.append(apply(
            function, arrays, residual, relu, statistics, total) + statistics)
    for expected, found in zip(*results):
        assert found.dtype == expected.dtype
        expected, found = [chainer.backends.cuda.to_cpu(a).astype(float)
                           for a in (expected, found)]
        numpy.testing.assert_allclose(
            found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize('n', [2, 3])
@pytest.mark.parametrize('channels_last', [False, True])
def test_parts_are_normalized_as_the_whole(n, channels_last):
    arrays = make((12, 4, 5, 5), 'float64')
    if channels_last:
        arrays = [numpy.ascontiguousarray(
            a.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
            if a.ndim == 4 else a for a in arrays]
    whole = [numpy.zeros(4), numpy.ones(4)]
    expected = apply(
        functions.batch_normalization, arrays, True, True, whole)
    total = Together(n)
    found = {}

    def work(i):
        part = slice(12 * i // n, 12 * (i + 1) // n)
        statistics = [numpy.zeros(4), numpy.ones(4)]
        found[i] = apply(
            functions.synchronized_batch_normalization,
            [a[part] if a.ndim == 4 else a for a in arrays], True, True,
            statistics, total) + statistics

    threads = [threading.Thread(target=work, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    parts = [found[i] for i in range(n)]
    for k, value in enumerate(expected):
        if k in (2, 3):  # gamma and beta: parts that add up
            together = sum(part[k] for part in parts)
        elif value.ndim == 4:
            together = numpy.concatenate([part[k] for part in parts])
        numpy.testing.assert_allclose(
            together, value, rtol=1e-10, atol=1e-10)
    for part in parts:
        numpy.testing.assert_allclose(part[-2:], whole, rtol=1e-12)
    assert total.calls == 2  # once forward, once backward


def test_one_image_a_process_is_enough():
    total = Together(2)
    x = numpy.array([[1., 2.], [3., 6.]])
    found = {}

    def work(i):
        found[i] = functions.synchronized_batch_normalization(
            x[i:i + 1], numpy.ones(2), numpy.zeros(2), total, eps=0.).array

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numpy.testing.assert_allclose(found[0], [[-1, -1]])
    numpy.testing.assert_allclose(found[1], [[1, 1]])


def test_the_link_asks_in_training_alone():
    link = links.BatchNormalization(3)
    asked = []
    link.total = lambda a: asked.append(a) or a
    x = numpy.random.normal(size=(4, 3)).astype('f')
    with chainer.using_config('train', False):
        link(x)
    assert not asked
    link(x, relu=True, residual=x)
    assert len(asked) == 1
    assert link.avg_mean.any()
