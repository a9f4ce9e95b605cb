"""A model's weights in a file of their own."""

import chainer
from chainer import links as L
import numpy
import pytest

import quantized_net
from quantized_net import quantizers
from quantized_net import weights


def make():
    return chainer.ChainList(
        L.Linear(4, 3), L.BatchNormalization(3),
        quantized_net.QuantizedLinear(
            3, 2, weight_quantizer=quantizers.TTQ()))


def test_what_it_holds_and_who_reads_it(tmp_path, device):
    model = make()
    model[2].W.array[...] = numpy.array([[.5, 0, -1], [1, 2, 3]])
    model[1].avg_mean[:] = 7
    model.to_device(device)
    path = str(tmp_path / 'model.npz')
    weights.save(path, model)
    with numpy.load(path, allow_pickle=False) as archive:
        assert sorted(archive.files) == sorted([
            '0/W', '0/b', '1/gamma', '1/beta', '1/avg_mean', '1/avg_var',
            '1/N', '2/W', '2/b', '2/weight_quantizer/Wp',
            '2/weight_quantizer/Wn'])
        assert {archive[name].dtype for name in archive.files
                if name != '1/N'} == {numpy.dtype('f')}
    for load in (lambda m: chainer.serializers.load_npz(path, m),
                 lambda m: quantized_net.load_float(path, m)):
        other = make()
        load(other)
        numpy.testing.assert_array_equal(
            other[2].W.array, [[.5, 0, -1], [1, 2, 3]])
        assert (other[1].avg_mean == 7).all()


def test_half_and_double_become_float32(tmp_path):
    path = str(tmp_path / 'model.npz')
    for dtype in ('e', 'd'):
        link = L.Linear(2, 2)
        link.W.array = numpy.array([[1, .5], [2, 3]], dtype)
        weights.save(path, link)
        with numpy.load(path) as archive:
            assert archive['W'].dtype == numpy.float32
            assert (archive['W'] == link.W.array).all()


def test_an_uninitialized_model_is_refused_and_the_old_file_stays(tmp_path):
    path = tmp_path / 'model.npz'
    path.write_text('old')
    with pytest.raises(ValueError, match='W has no value yet'):
        weights.save(str(path), L.Linear(None, 2))
    assert path.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [path]
