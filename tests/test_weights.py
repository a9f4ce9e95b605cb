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


def float_net(n=1):
    model = chainer.Chain(l1=L.Linear(4, 3), bn=L.BatchNormalization(3))
    for i in range(n):
        model.add_link('x%d' % i, L.Linear(3, 3))
    return model


def saved(tmp_path, model, name='model.npz'):
    path = str(tmp_path / name)
    weights.save(path, model)
    return path


def test_a_network_s_file_for_its_classifier_and_the_reverse(tmp_path):
    network = float_net()
    of_network = saved(tmp_path, network)
    of_classifier = saved(tmp_path, L.Classifier(network), 'classifier.npz')
    for path in (of_network, of_classifier):
        for model in (float_net(), L.Classifier(float_net())):
            assert quantized_net.load_float(path, model) == []
            found = getattr(model, 'predictor', model)
            assert (found.l1.W.array == network.l1.W.array).all()


@pytest.mark.parametrize('n_there,n_here,message', [
    (2, 1, 'it has x1/W, which the model has not|it has x1/b'),
    (1, 2, 'x1/. is missing')])
def test_another_depth_is_refused(tmp_path, n_there, n_here, message):
    path = saved(tmp_path, float_net(n_there))
    model = float_net(n_here)
    before = model.l1.W.array.copy()
    with pytest.raises(quantized_net.UserError, match=message):
        quantized_net.load_float(path, model)
    assert (model.l1.W.array == before).all()


def test_a_quantized_file_is_none_of_a_float_network(tmp_path):
    path = saved(tmp_path, quantized_net.QuantizedLinear(
        2, 2, weight_quantizer=quantizers.TTQ()))
    with pytest.raises(quantized_net.UserError, match='weight_quantizer/W'):
        quantized_net.load_float(path, L.Linear(2, 2))


def test_lazily_initialized_links(tmp_path):
    model = chainer.Chain(
        l1=L.Linear(4, 3), bn=L.BatchNormalization(axis=0))
    model.bn(model.l1(numpy.ones((2, 4), 'f')))
    path = saved(tmp_path, model)
    other = chainer.Chain(
        l1=L.Linear(None, 3), bn=L.BatchNormalization(axis=0))
    quantized_net.load_float(path, other)
    assert (other.l1.W.array == model.l1.W.array).all()
    assert (other.bn.avg_mean == model.bn.avg_mean).all()
    x = numpy.random.normal(size=(3, 4)).astype('f')
    with chainer.using_config('train', False):
        numpy.testing.assert_allclose(
            other.bn(other.l1(x)).array, model.bn(model.l1(x)).array, 1e-6)


def test_a_file_with_a_value_that_was_none(tmp_path):
    """Chainer saves None, pickled, for what has no value yet."""
    lazy = chainer.Chain(l1=L.Linear(4, 3), l2=L.Linear(None, 2))
    path = str(tmp_path / 'lazy.npz')
    chainer.serializers.save_npz(path, lazy)
    other = chainer.Chain(l1=L.Linear(4, 3), l2=L.Linear(None, 2))
    quantized_net.load_float(path, other)
    assert (other.l1.W.array == lazy.l1.W.array).all()
    assert other.l2.W.array is None
    whole = chainer.Chain(l1=L.Linear(4, 3), l2=L.Linear(3, 2))
    with pytest.raises(quantized_net.UserError, match='l2/W is missing'):
        quantized_net.load_float(path, whole)


def test_no_file_runs_code(tmp_path):
    class Bomb(object):
        def __reduce__(self):
            return (tmp_path / 'ran').write_text, ('x',)

    path = str(tmp_path / 'bomb.npz')
    numpy.savez(path, W=numpy.array([Bomb()], object), b=numpy.zeros(2, 'f'))
    with pytest.raises(quantized_net.UserError, match='bomb.npz'):
        quantized_net.load_float(path, L.Linear(3, 2))
    assert not (tmp_path / 'ran').exists()
