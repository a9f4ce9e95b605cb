"""Data sets that stay on the device: the same batches as on the host."""

import chainer
from chainer import datasets as chainer_datasets
import numpy
import pytest

from quantized_net.datasets import batches

CPU = chainer.get_device('@numpy')


def data(n=10, shape=(3, 6, 5)):
    return (numpy.random.randint(0, 256, (n,) + shape).astype(numpy.uint8),
            numpy.random.randint(0, 10, n).astype(numpy.int32))


def pairs(n=10, shape=(7,)):
    return chainer_datasets.TupleDataset(
        numpy.random.uniform(size=(n,) + shape).astype('f'),
        numpy.arange(n, dtype='i'))


@pytest.mark.parametrize('mean', [7., 'channel', 'pixel'])
@pytest.mark.parametrize('pad', [0, 1, 4])
@pytest.mark.parametrize('flip', [False, True])
def test_batches_have_the_same_bits(gpu, mean, pad, flip):
    images, labels = data()
    if mean != 7.:
        mean = images.mean(
            (0, 2, 3) if mean == 'channel' else 0, keepdims=True)[0]
    found = []
    for device in (CPU, gpu):
        numpy.random.seed(1)
        it = batches.BatchIterator(
            images, labels, 4, mean=mean, scale=58.4, pad=pad, flip=flip,
            device=device)
        drawn = [it.next() for _ in range(7)]
        for batch in drawn:
            for a in batch:
                assert isinstance(a, device.xp.ndarray)
                assert a.dtype in (numpy.float32, numpy.int32)
        found.append([[CPU.send(a) for a in batch] for batch in drawn]
                     + [[numpy.random.random()]])
    for a, b in zip(*found):
        for x, y in zip(a, b):
            numpy.testing.assert_array_equal(x, y)


@pytest.mark.parametrize('shape', [(7,), (1, 4, 3)])
@pytest.mark.parametrize('part', [slice(None), 'sub'])
def test_pairs_have_the_same_bits(device, shape, part):
    dataset = pairs(shape=shape)
    if part == 'sub':
        dataset = chainer_datasets.SubDataset(dataset, 2, 9)
    numpy.random.seed(1)
    expected = chainer.iterators.SerialIterator(dataset, 4)
    expected = [chainer.dataset.concat_examples(expected.next())
                for _ in range(6)]
    numpy.random.seed(1)
    it, converter = batches.iterator(dataset, 4, device)
    for x, t in expected:
        batch = converter(it.next(), device)
        for found, a in zip(batch, (x, t)):
            assert isinstance(found, device.xp.ndarray)
            assert found.dtype == a.dtype
            numpy.testing.assert_array_equal(CPU.send(found), a)


def test_a_snapshot_of_one_device_goes_on_on_the_other(gpu, tmp_path):
    dataset, path = pairs(), str(tmp_path / 'iterator.npz')
    found = []
    for first, second in ((CPU, gpu), (gpu, CPU)):
        numpy.random.seed(1)
        it, _ = batches.iterator(dataset, 4, first)
        it.next()
        chainer.serializers.save_npz(path, it)
        other, converter = batches.iterator(dataset, 4, second)
        chainer.serializers.load_npz(path, other)
        numpy.random.seed(2)
        found.append([CPU.send(converter(other.next(), second)[1])
                      for _ in range(5)])
    for a, b in zip(*found):
        numpy.testing.assert_array_equal(a, b)


def test_what_does_not_fit_stays_on_the_host(gpu, monkeypatch):
    images, labels = data()
    monkeypatch.setattr(
        gpu.xp.cuda.runtime, 'memGetInfo', lambda: (4 * images.nbytes, 1e9))
    assert batches.fits(gpu, images)
    monkeypatch.setattr(
        gpu.xp.cuda.runtime, 'memGetInfo',
        lambda: (4 * images.nbytes - 1, 1e9))
    assert not batches.fits(gpu, images)
    x, t = batches.BatchIterator(images, labels, 4, device=gpu).next()
    assert isinstance(x, numpy.ndarray) and isinstance(t, numpy.ndarray)
    it, _ = batches.iterator(pairs(1000), 4, gpu)
    assert not isinstance(it, batches.BatchIterator)


def test_a_batch_is_one_launch_and_one_small_write(standin):
    images, labels = data()
    it = batches.BatchIterator(
        images, labels, 4, pad=4, flip=True,
        device=chainer.get_device('@cupy:0'))
    it.next()
    with standin.meter.recording() as record:
        it.next()
    assert record.launches.total() == record.writes.total() == 1
    assert not record.reads
