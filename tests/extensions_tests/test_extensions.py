"""The extensions, in small runs."""

import concurrent.futures
import json
import os
import signal

import chainer
import numpy
import pytest

from quantized_net import errors
from quantized_net import extensions
from quantized_net.training import snapshot

import small_runs


def parameters(model):
    return {k: v.array.copy() for k, v in model.namedparams()}


def assert_same(a, b):
    assert set(a) == set(b)
    for key in a:
        numpy.testing.assert_array_equal(a[key], b[key])


@pytest.fixture
def python_sigint():
    """Python's own handler, which a job in the background starts without."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_interrupt_and_resume_is_one_run(tmp_path, python_sigint):
    trainer, model = small_runs.make_trainer(tmp_path / 'whole')
    trainer.run()
    expected = parameters(model)
    expected_log = trainer.get_extension('LogReport').log

    trainer, _ = small_runs.make_trainer(tmp_path / 'pieces')
    trainer.extend(small_runs.call_at(
        9, lambda: os.kill(os.getpid(), signal.SIGINT)), name='kill')
    with pytest.raises(errors.Interrupted, match='iteration 9'):
        trainer.run(show_loop_exception_msg=False)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    # another seed: what counts comes out of the snapshot
    trainer, model = small_runs.make_trainer(tmp_path / 'pieces', seed=5)
    path = snapshot.load_newest(str(tmp_path / 'pieces'), trainer)
    assert path.endswith('snapshot_iter_9')
    trainer.run()
    assert_same(parameters(model), expected)
    log = trainer.get_extension('LogReport').log
    for row, expected_row in zip(log, expected_log):
        assert row['main/loss'] == expected_row['main/loss']


def test_time_that_is_up_with_the_training_stops_nothing(tmp_path):
    trainer, _ = small_runs.make_trainer(tmp_path)
    budget = extensions.TimeBudget(1000, snapshot.extension())
    trainer.extend(budget)

    def let_it_pass():
        budget._start -= 2000
    trainer.extend(small_runs.call_at(18, let_it_pass), name='let it pass')
    trainer.run(show_loop_exception_msg=False)
    assert trainer.updater.iteration == 18


def test_two_snapshots_are_kept(tmp_path):
    trainer, _ = small_runs.make_trainer(tmp_path, epoch=4)
    trainer.run()
    assert [os.path.basename(p) for p in snapshot.newest_first(
        str(tmp_path))] == ['snapshot_iter_24', 'snapshot_iter_18']


def test_truncated_snapshot(tmp_path, capsys):
    trainer, _ = small_runs.make_trainer(tmp_path)
    trainer.run()
    newest, before = snapshot.newest_first(str(tmp_path))
    os.truncate(newest, os.path.getsize(newest) * 2 // 3)
    trainer, _ = small_runs.make_trainer(tmp_path)
    with pytest.raises(errors.UserError, match='iter_18.*damaged'):
        snapshot.load(newest, trainer)
    assert snapshot.load_newest(str(tmp_path), trainer) == before
    assert trainer.updater.iteration == 12
    assert 'snapshot_iter_18' in capsys.readouterr().err


def test_snapshot_with_a_flipped_bit(tmp_path):
    trainer, _ = small_runs.make_trainer(tmp_path)
    trainer.run()
    newest = snapshot.newest_first(str(tmp_path))[0]
    with open(newest, 'r+b') as f:
        f.seek(os.path.getsize(newest) // 2)
        byte = f.read(1)
        f.seek(-1, os.SEEK_CUR)
        f.write(bytes([byte[0] ^ 4]))
    trainer, _ = small_runs.make_trainer(tmp_path)
    with pytest.raises(errors.UserError, match='iter_18'):
        snapshot.load(newest, trainer)


def test_snapshots_that_do_not_fit(tmp_path):
    trainer, _ = small_runs.make_trainer(tmp_path)
    trainer.run()
    newest = snapshot.newest_first(str(tmp_path))[0]
    other, _ = small_runs.make_trainer(tmp_path, settings={'method': 'bnn'})
    with pytest.raises(errors.UserError, match='method is float, here.* bnn'):
        snapshot.load(newest, other)
    other, model = small_runs.make_trainer(tmp_path)
    model.predictor.l1.W.array = numpy.zeros((9, 4), 'f')
    with pytest.raises(errors.UserError, match='/predictor/l1/W'):
        snapshot.load(newest, other)
    with pytest.raises(errors.UserError, match='no snapshot .*nowhere'):
        snapshot.load(str(tmp_path / 'nowhere'), trainer)
    numpy.savez(str(tmp_path / 'other.npz'), a=1)
    with pytest.raises(errors.UserError, match='no snapshot of this'):
        snapshot.load(str(tmp_path / 'other.npz'), trainer)


def test_folder_without_snapshots(tmp_path):
    trainer, _ = small_runs.make_trainer(tmp_path)
    assert snapshot.load_newest(str(tmp_path), trainer) is None


def test_training_in_another_thread(tmp_path):
    trainer, _ = small_runs.make_trainer(tmp_path)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        pool.submit(trainer.run).result()
    assert trainer.updater.iteration == 18


def test_handler_of_another_language(tmp_path, python_sigint, monkeypatch):
    # signal.signal answers None for one, and takes none
    set_handler = signal.signal
    monkeypatch.setattr(signal, 'signal', lambda number, handler: (
        set_handler(number, handler) and None))
    trainer, _ = small_runs.make_trainer(tmp_path)
    trainer.run()
    assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL


@pytest.mark.parametrize('bad', [float('nan'), float('inf')])
def test_nan_guard(tmp_path, bad):
    trainer, model = small_runs.make_trainer(tmp_path)
    trainer.extend(extensions.NaNGuard())
    trainer.extend(small_runs.call_at(
        7, lambda: model.predictor.l2.b.array.fill(bad)), name='break')
    with pytest.raises(errors.TrainingFailed, match='iteration 8;') as e:
        trainer.run(show_loop_exception_msg=False)
    assert '--' not in str(e.value)  # a library knows no options
    kept = snapshot.newest_first(str(tmp_path))
    assert [os.path.basename(p) for p in kept] == ['snapshot_iter_6']


def test_random_state_of_numpy():
    extension = extensions.RandomState()
    numpy.random.normal(size=3)  # leaves a cached second value
    state = chainer.serializers.DictionarySerializer()
    extension.serialize(state)
    expected = numpy.random.normal(size=5)
    numpy.random.seed(99)
    extension.serialize(chainer.serializers.NpzDeserializer(state.target))
    assert (numpy.random.normal(size=5) == expected).all()


@pytest.mark.parametrize('entry,value', [
    ('pos', 625), ('pos', -1), ('has_gauss', 2)])
def test_random_state_out_of_range(entry, value):
    extension = extensions.RandomState()
    state = chainer.serializers.DictionarySerializer()
    extension.serialize(state)
    state.target[entry] = numpy.array(value)
    with pytest.raises(ValueError, match='out of range'):
        extension.serialize(chainer.serializers.NpzDeserializer(state.target))


def test_batch_statistics_evaluator(tmp_path):
    _, model = small_runs.make_trainer(tmp_path)
    data = small_runs.dataset(40)
    model.predictor.bn.avg_mean[:] = 5
    before = model.predictor.bn.avg_mean.copy()
    iterator = chainer.iterators.SerialIterator(
        data, 20, repeat=False, shuffle=False)
    evaluator = extensions.BatchStatisticsEvaluator(iterator, model)
    numpy.random.seed(3)
    result = evaluator()
    assert (model.predictor.bn.avg_mean == before).all()
    losses = []
    numpy.random.seed(3)
    with chainer.using_config('train', True):
        for start in (0, 20):
            x, y = chainer.dataset.concat_examples(data[start:start + 20])
            losses.append(float(model(x, y).array))
    assert result['main/loss'] == pytest.approx(numpy.mean(losses))


def test_table_report(tmp_path, capsys):
    trainer, _ = small_runs.make_trainer(tmp_path)
    trainer.extend(extensions.TableReport(
        ['epoch', 'main/loss', 'validation/main/loss'], 'GPU: -1\n\n'))
    trainer.run()
    printed = capsys.readouterr().out
    assert '\033' not in printed
    lines = (tmp_path / 'table.txt').read_text().splitlines()
    assert lines[:3] == [
        'GPU: -1', '', 'epoch       main/loss   validation/main/loss']
    log = json.loads((tmp_path / 'log').read_text())
    assert len(lines) == 3 + len(log)
    for line, row in zip(lines[3:], log):
        epoch, loss = line.split()
        assert (int(epoch), float(loss)) == (
            row['epoch'], pytest.approx(row['main/loss'], 1e-4))
    assert [line.rstrip() for line in printed.splitlines()] == lines[2:]


def test_plot_curves(tmp_path):
    from matplotlib import image
    trainer, _ = small_runs.make_trainer(tmp_path)
    trainer.extend(extensions.PlotCurves(
        {'main/loss': 'training', 'not/there': 'missing'}, 'loss.png',
        'loss', references=[('published', [.5, .4], 0)]))
    trainer.run()
    picture = image.imread(str(tmp_path / 'loss.png'))
    assert picture.shape[:2] == (480, 768)
    assert picture[..., :3].std() > .01
