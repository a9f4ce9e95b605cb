"""Points go where the gradients are, and training sees nothing of it."""

import chainer
import numpy
import pytest

import quantized_net
from quantized_net import extensions
from quantized_net import quantizers
from quantized_net.extensions import allocate_points
from quantized_net.training import snapshot
import small_runs


@pytest.mark.parametrize('norms,n,most,expected', [
    ([1, 1, 1], 4, 256, [4, 4, 4]), ([3, 1, 0], 4, 256, [7, 3, 2]),
    ([1, 2], 16, 256, [13, 19]),  # 13.3 and 18.7: one is left
    ([9, 1], 8, 10, [10, 6]), ([0, 0], 4, 256, [4, 4]),
    ([float('nan'), 1], 4, 256, [4, 4])])
def test_shares(norms, n, most, expected):
    found = allocate_points.allocate(norms, n, most)
    assert found == expected and sum(found) == n * len(norms)


def make_trainer(out, epoch):
    trainer, model = small_runs.make_trainer(out, epoch)
    with pytest.warns(UserWarning, match='optimizer.setup'):
        quantized_net.quantize(
            model, lambda: quantizers.Points(2, 8, most=32))
    trainer.updater.get_optimizer('main').setup(model)
    trainer.extend(extensions.AllocatePoints(model))
    return trainer, model


def numbers(model):
    return [model.predictor[name].weight_quantizer.n_points
            for name in ('l1', 'l2')]


def test_before_training_and_without_a_trace(tmp_path):
    trainer, model = make_trainer(tmp_path, 1)
    before = {name: param.array.copy() for name, param in model.namedparams()}
    mean = model.predictor.bn.avg_mean.copy()
    iterator = trainer.updater.get_iterator('main')
    state = numpy.random.get_state()[1].copy(), iterator.current_position
    trainer.get_extension('AllocatePoints').initialize(trainer)
    assert sum(numbers(model)) == 8 and numbers(model) != [4, 4]
    assert (numpy.random.get_state()[1] == state[0]).all()
    assert iterator.current_position == state[1]
    assert (model.predictor.bn.avg_mean == mean).all()
    for name, param in model.namedparams():
        assert (param.array == before[name]).all(), name


def test_resumed_run_is_bit_identical(tmp_path):
    whole, model = make_trainer(tmp_path / 'whole', 2)
    whole.run()
    make_trainer(tmp_path / 'pieces', 1)[0].run()
    pieces, other = make_trainer(tmp_path / 'pieces', 2)
    assert snapshot.load_newest(str(tmp_path / 'pieces'), pieces)
    pieces.run()
    assert numbers(model) == numbers(other) != [4, 4]
    for a, b in zip(model.params(), other.params()):
        numpy.testing.assert_array_equal(a.array, b.array)
    with chainer.using_config('train', False):
        assert model.predictor.l1.weight_quantizer.initialized
