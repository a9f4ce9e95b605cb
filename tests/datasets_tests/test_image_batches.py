"""Batches of image files: order, crops, ranks, resumption, bad files."""

import chainer
import numpy
import pytest

from quantized_net import errors
from quantized_net.datasets import image_batches
import jpegs


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp('images')
    paths = []
    for i in range(11):
        path = folder / ('%d.jpg' % i)
        path.write_bytes(jpegs.encoded(
            jpegs.GOOD[i % len(jpegs.GOOD)], 40 + i, 60 - i, i))
        paths.append(str(path))
    return paths, numpy.arange(11, dtype='i')


def make(files, batch_size=4, **kwargs):
    return image_batches.ImageIterator(
        *files, batch_size, size=16, shorter=20, threads=2, **kwargs)


def test_types_and_memory(files):
    for kind in image_batches.AUGMENTATIONS:
        it = make(files, augmentation=kind)
        x, t = it.next()
        assert x.shape == (4, 3, 16, 16) and x.dtype == numpy.float32
        assert x.transpose(0, 2, 3, 1).flags.c_contiguous
        assert t.dtype == numpy.int32
        assert abs(x).max() < 3 and x.std() > .1
        it.finalize()


def test_each_epoch_has_every_image_once_in_an_order_of_its_own(files):
    it = make(files, seed=5)
    labels = numpy.concatenate([it.next()[1] for _ in range(11)])
    epochs = labels.reshape(4, 11)
    for epoch in epochs:
        assert sorted(epoch) == list(range(11))
    assert len({tuple(epoch) for epoch in epochs}) == 4
    other = make(files, seed=6)
    assert (other.next()[1] != epochs[0, :4]).any()
    state = numpy.random.get_state()[1]
    it.next()
    assert (numpy.random.get_state()[1] == state).all()


def test_epochs_as_in_serial_iterator(files):
    for repeat in (True, False):
        ours = make(files, repeat=repeat)
        theirs = chainer.iterators.SerialIterator(
            list(range(11)), 4, repeat, shuffle=False)
        for _ in range(7):
            found, expected = next(ours, None), next(theirs, None)
            assert (found is None) == (expected is None)
            if found is None:
                break
            assert len(found[1]) == len(expected)
            assert ours.is_new_epoch == theirs.is_new_epoch
            if repeat:
                for name in ('epoch', 'epoch_detail',
                             'previous_epoch_detail'):
                    assert getattr(ours, name) == getattr(theirs, name), name
        if not repeat:
            ours.reset()
            assert ours.next()[1].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize('size', [2, 3, 4])
def test_the_parts_of_all_ranks_are_the_batches_of_one_process(files, size):
    whole = make(files)
    parts = [make(files, rank=rank, ranks=size) for rank in range(size)]
    for _ in range(4):
        batch = whole.next()
        found = [part.next() for part in parts]
        for k in (0, 1):
            together = numpy.concatenate([part[k] for part in found])
            assert together.tobytes() == batch[k].tobytes()


@pytest.mark.parametrize('steps', [0, 1, 3])
def test_saved_it_goes_on_the_same_whatever_it_has_read_ahead(
        tmp_path, files, steps):
    path = str(tmp_path / 'iterator.npz')
    it = make(files)
    for _ in range(steps):
        it.next()
    chainer.serializers.save_npz(path, it)
    expected = [it.next() for _ in range(4)]
    other = make(files, ahead=0)
    other.next()
    chainer.serializers.load_npz(path, other)
    for x, t in expected:
        found = other.next()
        assert found[0].tobytes() == x.tobytes()
        assert found[1].tobytes() == t.tobytes()
    assert other.epoch_detail == it.epoch_detail
    assert other.previous_epoch_detail == it.previous_epoch_detail


def test_the_middle_of_an_image(tmp_path):
    pixels = numpy.zeros((20, 40, 3), numpy.uint8)
    pixels[2:18, 12:28] = 200
    path = tmp_path / 'a.png'
    jpegs.PIL.Image.fromarray(pixels).save(path)
    it = image_batches.ImageIterator(
        [str(path)], numpy.zeros(1, 'i'), 1, False, 'centre', 16, 20)
    expected = (200 - image_batches.MEAN) / image_batches.STD
    x = it.next()[0][0]
    numpy.testing.assert_allclose(x, numpy.broadcast_to(
        expected[:, None, None], x.shape), rtol=1e-6)


def test_a_skipped_batch_is_not_made(files):
    a, b = make(files), make(files)
    a.next()
    a.skip()
    b.next()
    b.next()
    assert a.next()[0].tobytes() == b.next()[0].tobytes()
    once = make(files, repeat=False)
    for _ in range(3):
        once.skip()
    with pytest.raises(StopIteration):
        once.skip()


@pytest.fixture
def bad_files(tmp_path, files):
    path = tmp_path / 'cut off.jpg'
    path.write_bytes(jpegs.encoded('truncated', 60, 80))
    paths, labels = list(files[0][:5]), files[1][:6]
    return paths[:2] + [str(path)] + paths[2:], labels


def test_a_corrupt_image_ends_the_run_by_its_name(bad_files):
    it = make(bad_files, repeat=False)
    with pytest.raises(errors.UserError, match='cut off.jpg.*--corrupt skip'):
        list(it)


def test_a_corrupt_image_is_left_out_and_named_once(bad_files, capfd):
    it = make(bad_files, repeat=False, skip_corrupt=True)
    for _ in range(2):
        labels = numpy.concatenate([t for _, t in it])
        assert labels.tolist() == [0, 1, 3, 4, 5]
        it.reset()
    err = capfd.readouterr().err
    assert err.count('left out: image') == err.count('cut off.jpg') == 1
    # in training the next one takes its place
    it = make(bad_files, skip_corrupt=True, seed=1)
    labels = numpy.concatenate([it.next()[1] for _ in range(3)])
    assert sorted(labels[:6]) == [0, 1, 3, 3, 4, 5]


def test_no_image_at_all(tmp_path):
    path = tmp_path / 'empty.jpg'
    path.write_bytes(b'')
    for repeat in (True, False):
        it = image_batches.ImageIterator(
            [str(path)], numpy.zeros(1, 'i'), 1, repeat, skip_corrupt=True)
        with pytest.raises(errors.UserError, match='empty.jpg'):
            it.next()


def test_random_parts_stay_inside():
    image = numpy.asarray(jpegs.picture(5, 300, 0))
    rng = numpy.random.RandomState(0)
    for numbers in [*rng.random_sample((200, 5)), [0.] * 5,
                    [1 - 1e-16] * 5]:
        for kind in ('resized', 'crop'):
            part = image_batches._augment(image, kind, 16, 20, numbers)
            assert part.shape == (16, 16, 3)
