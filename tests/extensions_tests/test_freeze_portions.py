"""When portions are frozen, and that a resumed run does the same."""

import chainer
from chainer import links as L
import numpy
import pytest

import quantized_net
from quantized_net import errors
from quantized_net import extensions
from quantized_net.training import snapshot
import small_runs


def make_trainer(out, epoch, epochs=(0, 1, 2.5), portions=(.25, .5, 1)):
    trainer, model = small_runs.make_trainer(out, epoch)
    quantized_net.quantize(model, 'inq', bits=3)
    trainer.extend(extensions.FreezePortions(model, portions, epochs))
    return trainer, model


def test_portions_at_their_epochs(tmp_path):
    trainer, model = make_trainer(tmp_path, 3)
    q, seen = model.predictor.l1.weight_quantizer, []

    @chainer.training.make_extension(trigger=(1, 'iteration'), priority=-1)
    def look(trainer):
        seen.append(int(q.mask(model.predictor.l1.W.array).sum()))

    trainer.extend(look)
    trainer.run()
    # 6 iterations an epoch, 32 weights; it freezes before the next iteration
    assert seen == [8] * 5 + [16] * 9 + [32] * 4
    assert [row['frozen'] for row in trainer.get_extension('LogReport').log
            ] == [.5, .5, 1]


def test_resumed_run_is_bit_identical(tmp_path):
    whole, model = make_trainer(tmp_path / 'whole', 3)
    whole.run()
    make_trainer(tmp_path / 'pieces', 2)[0].run()
    pieces, other = make_trainer(tmp_path / 'pieces', 3)
    path = snapshot.load_newest(str(tmp_path / 'pieces'), pieces)
    assert path.endswith('_12')
    pieces.run()
    for a, b in zip(model.params(), other.params()):
        numpy.testing.assert_array_equal(a.array, b.array)
    for name in ('l1', 'l2'):
        a, b = [getattr(m.predictor, name).weight_quantizer
                for m in (model, other)]
        numpy.testing.assert_array_equal(a.frozen, b.frozen)
        assert a.n1 == b.n1


def test_weights_that_have_no_shape_yet(tmp_path):
    trainer, _ = small_runs.make_trainer(tmp_path)
    model = L.Linear(None, 3)
    chain = chainer.Sequential(model)
    quantized_net.quantize(chain, 'inq')
    trainer.extend(extensions.FreezePortions(chain, [1], [0]))
    with pytest.raises(errors.UserError, match='layer 0 has no weights'):
        trainer.run()
