"""Teachers, annealing, relative scales: options of both scripts."""

import json

import numpy
import pytest

import scripts

SMALL = ['--dataset', 'digits', '--model', 'convnet', '--epoch', '1']


@pytest.fixture(scope='module')
def teacher(tmp_path_factory):
    out = tmp_path_factory.mktemp('teacher')
    done = scripts.run('train_mnist.py', *SMALL, '--method', 'float',
                       '--out', out)
    assert done.returncode == 0, done.stderr
    return out / 'model.npz'


def train(out, *options):
    done = scripts.run('train_mnist.py', *SMALL, '--out', out, *options)
    assert done.returncode == 0, done.stderr
    return scripts.rows_of(out)


def test_a_teacher_changes_the_loss_of_training_alone(tmp_path, teacher):
    plain, = train(tmp_path / 'a', '--init', teacher)
    taught, = train(tmp_path / 'b', '--init', teacher, '--teacher', teacher)
    assert taught['main/loss'] != plain['main/loss']
    # a weight of 0 is no teacher
    none, = train(tmp_path / 'c', '--init', teacher, '--teacher', teacher,
                  '--distill-weight', '0')
    assert none == plain
    # the teacher is in no file of the student
    with numpy.load(str(tmp_path / 'b' / 'model.npz')) as a, numpy.load(
            str(tmp_path / 'a' / 'model.npz')) as b:
        assert set(a.files) == set(b.files)


def test_a_teacher_of_another_network(tmp_path, teacher):
    """args.json beside the weights says which."""
    student, = train(tmp_path / 'a', '--model', 'lenet', '--method', 'float',
                     '--teacher', teacher)
    assert student['main/accuracy'] > .5
    (tmp_path / 'alone').mkdir()
    alone = tmp_path / 'alone' / 'model.npz'
    alone.write_bytes(teacher.read_bytes())
    done = scripts.run(
        'train_mnist.py', *SMALL, '--model', 'lenet', '--teacher', alone,
        '--out', tmp_path / 'b')
    assert done.returncode == 2
    assert 'another architecture' in done.stderr.splitlines()[-1]
    # before the float network was trained
    assert not (tmp_path / 'b' / 'float').exists()
    for text in ('{', '[]', '{"network": "resnet20"}'):
        (tmp_path / 'alone' / 'args.json').write_text(text)
        done = scripts.run('train_mnist.py', *SMALL, '--teacher', alone,
                           '--out', tmp_path / 'b')
        assert done.returncode == 2, done.stderr
        assert 'names no network of this script' in (
            done.stderr.splitlines()[-1])


def test_relative_scales_and_their_rate(tmp_path, teacher):
    still, = train(tmp_path / 'a', '--init', teacher, '--scales', 'relative',
                   '--scale-lr', '0')
    moved, = train(tmp_path / 'b', '--init', teacher, '--scales', 'relative')
    assert still['fc/Wp'] != moved['fc/Wp']
    with numpy.load(str(tmp_path / 'a' / 'model.npz')) as archive, (
            numpy.load(str(teacher))) as before:
        W = before['fc/W']
        chosen = W > numpy.float32(.05) * abs(W).max()
        # the mean magnitude of the weights that were loaded
        assert archive['fc/weight_quantizer/a_p'] == pytest.approx(
            W[chosen].mean(), 1e-5)
        assert archive['fc/weight_quantizer/s_p'] == 1
    assert still['fc/Wp'] == pytest.approx(W[chosen].mean(), 1e-5)


@pytest.mark.parametrize('options', [
    ['--anneal', '.75', '--scales', 'relative'],
    ['--method', 'twn', '--anneal', '1']])
def test_a_killed_run_goes_on_as_it_would_have(tmp_path, teacher, options):
    scripts.assert_kill_and_resume_is_one_run(
        tmp_path, .8, 'train_mnist.py', *SMALL, '--epoch', '4', '--init',
        teacher, '--teacher', teacher, *options)


def test_pause_after_an_epoch(tmp_path, teacher):
    options = [*SMALL, '--epoch', '2', '--method', 'float', '--out',
               tmp_path]
    done = scripts.run('train_mnist.py', *options, '--pause-after', '1')
    assert done.returncode == 75
    assert 'paused after epoch 1' in done.stderr
    assert not (tmp_path / 'model.npz').exists()
    assert scripts.run(
        'train_mnist.py', *options, '--autoload').returncode == 0
    assert len(scripts.rows_of(tmp_path)) == 2


def test_the_weights_are_those_of_the_last_epoch(tmp_path):
    """Whatever --frequency says; and the ternary network starts there."""
    train(tmp_path / 'a', '--epoch', '3', '--frequency', '2')
    train(tmp_path / 'b', '--epoch', '3')
    for part in ('float', '.'):
        with numpy.load(str(tmp_path / 'a' / part / 'model.npz')) as a, (
                numpy.load(str(tmp_path / 'b' / part / 'model.npz'))) as b:
            for name in a.files:
                numpy.testing.assert_array_equal(a[name], b[name])


def test_a_longer_ternary_run_leaves_the_float_one(tmp_path):
    train(tmp_path)
    before = (tmp_path / 'float' / 'args.json').read_text()
    rows = train(tmp_path, '--epoch', '2', '--autoload')
    assert len(rows) == 2
    assert (tmp_path / 'float' / 'args.json').read_text() == before
    assert len(json.loads((tmp_path / 'float' / 'log').read_text())) == 1


def test_a_folder_of_another_run_is_refused(tmp_path):
    train(tmp_path, '--method', 'float')
    log = (tmp_path / 'log').read_text()
    done = scripts.run('train_mnist.py', *SMALL, '--method', 'float',
                       '--lr', '.5', '--out', tmp_path)
    assert done.returncode == 2
    assert 'another run, whose lr is 0.001, here it is 0.5' in done.stderr
    assert (tmp_path / 'log').read_text() == log
