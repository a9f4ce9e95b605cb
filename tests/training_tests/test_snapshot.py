"""Snapshots of this run and of others, whole, damaged and malformed."""

import json
import os

import numpy
import pytest

from quantized_net import errors
from quantized_net.training import snapshot

import small_runs

ITERATOR = 'updater/iterator:main/'
RANDOM = 'extensions/RandomState/'
MODEL = 'updater/model:main/predictor/'
OPTIMIZER = 'updater/optimizer:main/predictor/'


@pytest.fixture
def folder(tmp_path):
    """With the snapshots of iterations 12 and 18 of a run."""
    small_runs.make_trainer(tmp_path)[0].run()
    return tmp_path


def change(path, **changes):
    """Writes a snapshot again, with other entries; None takes one out."""
    with numpy.load(path) as archive:
        arrays = dict(archive)
    arrays.update(changes)
    with open(path, 'wb') as f:
        numpy.savez(f, **{name: value for name, value in arrays.items()
                          if value is not None})


def state(trainer):
    """All that a snapshot of the trainer would hold."""
    trainer._start_at = 0.
    found = snapshot.serializers.npz.serialize(trainer)
    trainer._start_at = None
    del found['_snapshot_elapsed_time']
    return found


CHANGES = {
    'optimizer state of another shape': {
        OPTIMIZER + 'l1/W/m': numpy.zeros((1, 1), 'f')},
    'optimizer state of another dtype': {
        OPTIMIZER + 'l1/W/v': numpy.zeros((8, 4), 'd')},
    'no optimizer state': {OPTIMIZER + 'l1/W/m': None},
    'weights of another shape': {MODEL + 'l1/W': numpy.zeros((9, 4), 'f')},
    'weights that are complex': {MODEL + 'l1/W': numpy.zeros((8, 4), 'F')},
    'no weights': {MODEL + 'l2/b': None},
    'no statistics': {MODEL + 'bn/avg_mean': None},
    'position beyond the state': {RANDOM + 'pos': numpy.array(10 ** 9)},
    'negative position in the state': {RANDOM + 'pos': numpy.array(-5)},
    'a short state': {RANDOM + 'keys': numpy.zeros(5, numpy.uint32)},
    'order beyond the examples': {ITERATOR + 'order': numpy.arange(1, 61)},
    'a short order': {ITERATOR + 'order': numpy.arange(5)},
    'position beyond the examples': {
        ITERATOR + 'current_position': numpy.array(60)},
    'negative position': {ITERATOR + 'current_position': numpy.array(-1)},
    'text for a number': {'updater/iteration': numpy.array('x')},
    'NaN for a time': {'_snapshot_elapsed_time': numpy.array(numpy.nan)},
    'negative iteration': {'updater/iteration': numpy.array(-1)},
    'no list for the log': {'extensions/LogReport/_log': numpy.array('{}')},
    'no JSON for the log': {'extensions/LogReport/_log': numpy.array('[')},
    'deep JSON for the log': {
        'extensions/LogReport/_log': numpy.array('[' * 100000)},
    'names without values': {
        'extensions/LogReport/_summary/_names': numpy.array('["a"]')},
    'no object for the settings': {
        'extensions/Settings/settings': numpy.array('[1]')},
    'no JSON for the settings': {
        'extensions/Settings/settings': numpy.array('{')},
    'no settings': {'extensions/Settings/settings': None},
    'pickled': {MODEL + 'l1/W': numpy.array([None] * 32, object)},
}


@pytest.mark.parametrize('name', CHANGES)
def test_malformed_snapshot_is_passed_over(folder, capsys, name):
    newest, before = snapshot.newest_first(str(folder))
    change(newest, **CHANGES[name])
    trainer, _ = small_runs.make_trainer(folder)
    expected = state(trainer)
    with pytest.raises(errors.UserError, match='snapshot_iter_18') as e:
        snapshot.load(newest, trainer)
    assert '\n' not in str(e.value)
    found = state(trainer)
    assert set(found) == set(expected)
    for key, value in expected.items():
        numpy.testing.assert_array_equal(found[key], value, key)
    # the one before is taken, and goes on
    assert snapshot.load_newest(str(folder), trainer) == before
    assert capsys.readouterr().err.count('\n') == 1
    trainer.run()
    assert trainer.updater.iteration == 18


def test_extensions_that_come_and_go(folder):
    newest = snapshot.newest_first(str(folder))[0]
    trainer, _ = small_runs.make_trainer(folder)
    trainer.extend(small_runs.call_at(1, id), name='another')
    with pytest.warns(UserWarning, match='not saved'):
        snapshot.load(newest, trainer)
    change(newest, **{
        'extension_triggers/gone/previous_iteration': numpy.array(3)})
    snapshot.load(newest, small_runs.make_trainer(folder)[0])


def test_folder_with_another_run(folder, capsys):
    mine, other = {'method': 'bnn'}, {'method': 'float'}
    trainer, _ = small_runs.make_trainer(folder, settings=mine)
    with pytest.raises(errors.UserError, match='another run, whose method '
                       'is float, here it is bnn'):
        snapshot.check_folder(trainer)
    snapshot.check_folder(small_runs.make_trainer(
        folder, settings=other)[0])
    # it is passed over, and named
    assert snapshot.load_newest(str(folder), trainer) is None
    assert capsys.readouterr().err.count('is of another run') == 2
    trainer, _ = small_runs.make_trainer(folder, epoch=5, settings=mine)
    trainer.run()
    # of the other, both had the names of some of these
    assert [os.path.basename(p) for p in snapshot.of_settings(
        str(folder), mine)] == ['snapshot_iter_30', 'snapshot_iter_24']
    assert [os.path.basename(p) for p in snapshot.of_settings(
        str(folder), other)] == []


def test_pruning_leaves_the_snapshots_of_others(folder):
    for path in snapshot.newest_first(str(folder)):
        os.rename(path, path + '00')
    trainer, _ = small_runs.make_trainer(folder, settings={'method': 'bnn'})
    trainer.run()
    assert [os.path.basename(p) for p in snapshot.newest_first(str(folder))
            ] == ['snapshot_iter_1800', 'snapshot_iter_1200',
                  'snapshot_iter_18', 'snapshot_iter_12']
    assert [os.path.basename(p) for p in snapshot.of_trainer(trainer)] == [
        'snapshot_iter_18', 'snapshot_iter_12']


def test_file_without_settings_is_passed_over(folder, capsys):
    numpy.savez(str(folder / 'a.npz'), a=1)
    os.rename(str(folder / 'a.npz'), str(folder / 'snapshot_iter_99'))
    trainer, _ = small_runs.make_trainer(folder)
    assert snapshot.load_newest(
        str(folder), trainer).endswith('snapshot_iter_18')
    assert 'snapshot_iter_99' in capsys.readouterr().err


def test_names_that_are_no_number(folder):
    (folder / 'snapshot_iter_\u00b2').write_text('')
    assert len(snapshot.newest_first(str(folder))) == 2


def test_settings_of(folder):
    newest = snapshot.newest_first(str(folder))[0]
    assert snapshot.settings_of(newest) == {'method': 'float'}
    with numpy.load(newest) as archive:
        assert json.loads(str(archive[
            'extensions/Settings/settings'])) == {'method': 'float'}
