"""Batches against a loop that does the same, slowly."""

import chainer
import numpy
import pytest

from quantized_net.datasets import batches
from quantized_net.kernels import crops


def data(n=10, shape=(3, 6, 5)):
    return (numpy.random.randint(0, 256, (n,) + shape).astype(numpy.uint8),
            numpy.random.randint(0, 10, n).astype(numpy.int32))


def slow_crop(image, pad, top, left):
    """Of shape (C, H, W), pixel by pixel."""
    c, h, w = image.shape
    out = numpy.zeros_like(image)
    for k in range(c):
        for i in range(h):
            for j in range(w):
                y, x = i + top - pad, j + left - pad
                if 0 <= y < h and 0 <= x < w:
                    out[k, i, j] = image[k, y, x]
    return out


def slow_batch(images, indices, mean, scale, pad, flip):
    """Draws as the iterator does: the crops of a batch, then the flips."""
    n = len(indices)
    if pad:
        top, left = numpy.random.randint(0, 2 * pad + 1, (2, n))
    if flip:
        flips = numpy.random.randint(0, 2, n)
    out = []
    for i, index in enumerate(indices):
        image = images[index]
        if pad:
            image = slow_crop(image, pad, top[i], left[i])
        if flip and flips[i]:
            image = numpy.array([[row[::-1] for row in plane]
                                 for plane in image])
        out.append((image.astype(numpy.float64) - mean) / scale)
    return numpy.array(out)


def means(kind, images):
    if kind == 'number':
        return 120.5
    if kind == 'channel':
        return images.mean((0, 2, 3)).reshape(-1, 1, 1)
    return images.mean(0)


@pytest.mark.parametrize('kind', ['number', 'channel', 'pixel'])
@pytest.mark.parametrize('pad', [0, 1, 4])
@pytest.mark.parametrize('flip', [False, True])
def test_values(kind, pad, flip):
    images, labels = data()
    mean = means(kind, images)
    seed = numpy.random.get_state()
    it = batches.BatchIterator(
        images, labels, 4, mean=mean, scale=64., pad=pad, flip=flip)
    found = [it.next() for _ in range(7)]

    numpy.random.set_state(seed)
    order = chainer.iterators.SerialIterator(range(10), 4)
    for x, t in found:
        indices = order.next()
        numpy.testing.assert_allclose(
            x, slow_batch(images, indices, mean, 64., pad, flip),
            rtol=1e-5, atol=1e-6)
        numpy.testing.assert_array_equal(t, labels[indices])
    # every number was drawn, and no more
    rest = numpy.random.random()
    numpy.random.set_state(seed)
    it = batches.BatchIterator(
        images, labels, 4, mean=mean, scale=64., pad=pad, flip=flip)
    for _ in range(7):
        it.next()
    assert numpy.random.random() == rest


@pytest.mark.parametrize('shape', [(3, 6, 5), (1, 28, 28), (3, 32, 32)])
@pytest.mark.parametrize('pad', [1, 2, 4])
def test_crops(device, shape, pad):
    images, labels = data(12, shape)
    before = images.copy()
    places = numpy.random.randint(0, 2 * pad + 1, (4, 12)).astype('i')
    places[0] = numpy.random.permutation(12)
    places[3] %= 2
    mean = numpy.random.uniform(0, 255, shape).astype('f')
    if device.xp is numpy:
        found = crops.reference(
            images.transpose(0, 2, 3, 1), labels, places, pad,
            mean.transpose(1, 2, 0), numpy.float32(.3))
    else:
        found = crops.cuda_form(
            *[device.send(a) for a in (images, labels, places)], pad,
            device.send(mean), numpy.float32(.3))
    x, t = [chainer.get_device('@numpy').send(a) for a in found]
    expected = numpy.array([
        slow_crop(images[k], pad, top, left) for k, top, left, _ in places.T])
    for k in range(12):
        if places[3, k]:
            expected[k] = expected[k, :, :, ::-1]
    numpy.testing.assert_array_equal(
        x, (expected - mean) * numpy.float32(.3))
    numpy.testing.assert_array_equal(t, labels[places[0]])
    numpy.testing.assert_array_equal(images, before)


@pytest.mark.parametrize('pad', [1, 4])
def test_every_crop_occurs_about_as_often(pad):
    # one bright pixel in the middle, which no crop cuts off
    n, size = 8100, 2 * pad + 1
    images = numpy.zeros((n, 1, 9, 9), numpy.uint8)
    images[:, :, 4, 4] = 1
    found = batches.BatchIterator(
        images, numpy.zeros(n, 'i'), n, scale=1., pad=pad).next()[0][:, 0]
    assert (found.sum((1, 2)) == 1).all()
    counts = found.sum(0, dtype=int)[4 - pad:5 + pad, 4 - pad:5 + pad]
    expected = n / size ** 2
    assert counts.sum() == n
    assert (abs(counts - expected) < 5 * expected ** .5).all()


def test_about_half_are_mirrored():
    n = 10000
    images = numpy.zeros((n, 1, 1, 2), numpy.uint8)
    images[..., 0] = 1
    it = batches.BatchIterator(
        images, numpy.zeros(n, numpy.int32), n, scale=1., flip=True)
    x, _ = it.next()
    assert (x.sum((1, 2, 3)) == 1).all()
    assert abs(x[:, 0, 0, 1].sum() - n / 2) < 250  # five deviations


def test_crops_and_flips_of_a_batch_differ_and_are_independent():
    n = 10000
    images = numpy.zeros((n, 1, 3, 4), numpy.uint8)
    images[:, 0, 1, 1] = 1
    it = batches.BatchIterator(
        images, numpy.zeros(n, numpy.int32), n, scale=1., pad=1, flip=True)
    x, _ = it.next()
    # columns 0 to 2 as they are, 3 to 1 mirrored, three rows
    counts = x.sum((0, 1))
    expected = n / 18 * numpy.array([[1, 2, 2, 1]] * 3)
    assert (abs(counts - expected) < 5 * expected ** .5).all()


@pytest.mark.parametrize('kind', ['number', 'channel', 'pixel'])
@pytest.mark.parametrize('scale', [1., 64., 255., 58.4])
def test_without_augmentation(kind, scale):
    images, labels = data()
    mean = means(kind, images)
    it = batches.BatchIterator(
        images, labels, 10, shuffle=False, mean=mean, scale=scale)
    x, t = it.next()
    centred = images.astype(numpy.float32) - numpy.asarray(
        mean, numpy.float32)
    # it multiplies, as Chainer's data sets do: exact for a power of two
    numpy.testing.assert_array_equal(x, centred * numpy.float32(1 / scale))
    expected = centred / numpy.float32(scale)
    if scale in (1., 64.):
        numpy.testing.assert_array_equal(x, expected)
    else:
        numpy.testing.assert_array_max_ulp(x, expected, 2)
    numpy.testing.assert_array_equal(t, labels)


def test_pixels_as_chainer_scales_them():
    images, labels = data()
    x, _ = batches.BatchIterator(images, labels, 10, shuffle=False).next()
    expected = images.astype(numpy.float32)
    expected *= 1. / 255.
    numpy.testing.assert_array_equal(x, expected)


def test_nothing_is_drawn_without_augmentation():
    images, labels = data()
    it = batches.BatchIterator(images, labels, 4, shuffle=False)
    state = numpy.random.get_state()
    for _ in range(5):
        it.next()
    numpy.testing.assert_array_equal(numpy.random.get_state()[1], state[1])
    assert numpy.random.get_state()[2:] == state[2:]


@pytest.mark.parametrize('pad,flip', [(0, False), (2, True)])
def test_types_and_memory(pad, flip):
    images, labels = data()
    before = images.copy()
    it = batches.BatchIterator(
        images, labels, 4, mean=images.mean((0, 2, 3), keepdims=True)[0],
        pad=pad, flip=flip)
    for _ in range(5):
        x, t = it.next()
        assert x.shape == (4, 3, 6, 5) and x.dtype == numpy.float32
        assert x.transpose(0, 2, 3, 1).flags.c_contiguous
        assert x.flags.writeable
        assert t.shape == (4,) and t.dtype == numpy.int32
        # a batch is its own: nobody changes the data set through it
        x[...] = 0
        t[...] = -1
    numpy.testing.assert_array_equal(images, before)
    assert (labels >= 0).all()
    rest, _ = batches.BatchIterator(
        images, labels, 10, shuffle=False, scale=1.).next()
    numpy.testing.assert_array_equal(rest, before)


@pytest.mark.parametrize('n,batch_size', [(10, 4), (10, 5), (3, 7), (4, 4)])
@pytest.mark.parametrize('shuffle', [None, True, False])
@pytest.mark.parametrize('repeat', [True, False])
def test_epochs_as_in_serial_iterator(n, batch_size, shuffle, repeat):
    images, labels = data(n)
    seed = numpy.random.get_state()
    ours = batches.BatchIterator(images, labels, batch_size, repeat, shuffle)
    numpy.random.set_state(seed)
    theirs = chainer.iterators.SerialIterator(
        list(range(n)), batch_size, repeat, shuffle)

    def same():
        for name in ('epoch', 'epoch_detail', 'previous_epoch_detail',
                     'is_new_epoch', 'current_position', 'repeat'):
            assert getattr(ours, name) == getattr(theirs, name), name

    same()
    for _ in range(9):
        state = numpy.random.get_state()
        expected = next(theirs, None)
        numpy.random.set_state(state)
        found = next(ours, None)
        if expected is None:
            assert found is None and not repeat
        else:
            numpy.testing.assert_array_equal(found[1], labels[expected])
        same()


@pytest.mark.parametrize('n', [1, 4, 8, 10])
def test_without_repeat_it_ends(n):
    images, labels = data(n)
    it = batches.BatchIterator(
        images, labels, 4, repeat=False, shuffle=False, pad=1, flip=True)
    for _ in range(2):
        found = list(it)
        sizes = [len(x) for x, _ in found]
        assert sum(sizes) == n and all(size == 4 for size in sizes[:-1])
        numpy.testing.assert_array_equal(
            numpy.concatenate([t for _, t in found]), labels)
        with pytest.raises(StopIteration):
            it.next()
        it.reset()


@pytest.mark.parametrize('steps', [1, 2, 3, 7])
def test_saved_in_mid_epoch_it_goes_on_the_same(tmp_path, steps):
    images, labels = data()
    path = str(tmp_path / 'iterator.npz')

    def make():
        return batches.BatchIterator(images, labels, 4, pad=2, flip=True)

    it = make()
    for _ in range(steps):
        it.next()
    chainer.serializers.save_npz(path, it)
    state = numpy.random.get_state()
    expected = [it.next() for _ in range(8)]

    numpy.random.seed(99)
    other = make()
    other.next()
    chainer.serializers.load_npz(path, other)
    numpy.random.set_state(state)
    for x, t in expected:
        found_x, found_t = other.next()
        assert found_x.tobytes() == x.tobytes()
        assert found_t.tobytes() == t.tobytes()
    assert other.epoch_detail == it.epoch_detail
    assert other.previous_epoch_detail == it.previous_epoch_detail


def test_to_device_without_a_device():
    batch = data()
    for found in (batches.to_device(batch), batches.to_device(batch, None)):
        assert found[0] is batch[0] and found[1] is batch[1]


def test_to_device(device):
    images, labels = data()
    batch = batches.BatchIterator(images, labels, 4).next()
    x, t = batches.to_device(batch, device)
    assert isinstance(x, device.xp.ndarray) and x.dtype == numpy.float32
    assert isinstance(t, device.xp.ndarray) and t.dtype == numpy.int32
    for found, expected in zip((x, t), batch):
        numpy.testing.assert_array_equal(
            chainer.backends.cuda.to_cpu(found), expected)


class Model(chainer.Chain):

    def __init__(self):
        super(Model, self).__init__()
        with self.init_scope():
            self.fc = chainer.links.Linear(90, 10)

    def forward(self, x, t):
        assert self.xp is chainer.backend.get_array_module(x)
        loss = chainer.functions.softmax_cross_entropy(self.fc(x), t)
        chainer.report({'loss': loss}, self)
        return loss


def test_converter_of_an_updater_and_an_evaluator(device):
    images, labels = data()
    model = Model()
    model.to_device(device)
    optimizer = chainer.optimizers.SGD().setup(model)
    chainer.training.updaters.StandardUpdater(
        batches.BatchIterator(images, labels, 4), optimizer,
        converter=batches.to_device, device=device).update()
    found = chainer.training.extensions.Evaluator(
        batches.BatchIterator(images, labels, 4, False, False), model,
        converter=batches.to_device, device=device)()
    assert found['main/loss'] > 0
