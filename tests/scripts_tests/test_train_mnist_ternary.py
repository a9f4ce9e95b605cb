"""train_mnist.py with ternary weights, as a user runs it."""

import functools

import numpy
import pytest

import scripts

SMALL = ['--dataset', 'digits', '--model', 'convnet', '--epoch', '1']

run = functools.partial(scripts.run, 'train_mnist.py')


@pytest.fixture(scope='module')
def float_run(tmp_path_factory):
    out = tmp_path_factory.mktemp('float')
    done = run(*SMALL, '--method', 'float', '--out', str(out))
    assert done.returncode == 0, done.stderr
    return str(out / 'snapshot_iter_15')


def test_one_command_trains_both(tmp_path):
    done = run(*SMALL, '--epoch', '2', '--method', 'ttq', '--out',
               str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert '# method: float' in done.stdout
    assert '# method: ttq' in done.stdout
    assert 'times smaller' in done.stdout
    rows, log = scripts.rows_of(tmp_path), (tmp_path / 'log').read_text()
    assert len(scripts.rows_of(tmp_path / 'float')) == len(rows) == 2
    for layer in ('conv1', 'conv2', 'fc'):
        row = rows[-1]
        assert row[layer + '/Wp'] != row[layer + '/Wn']
        assert sum(row['%s/%s' % (layer, share)] for share in (
            'positive', 'zero', 'negative')) == pytest.approx(1)
        assert 0 < row[layer + '/flips'] < .2
    assert 0 < rows[-1]['zeros'] < .5
    # again: both are finished, nothing is trained
    again = run(*SMALL, '--epoch', '2', '--method', 'ttq', '--out',
                str(tmp_path), '--autoload')
    assert again.returncode == 0, again.stderr
    assert (tmp_path / 'log').read_text() == log


def test_resume_of_either_half(tmp_path):
    options = [*SMALL, '--method', 'ttq', '--out', str(tmp_path)]
    assert run(*options).returncode == 0
    ternary = run(*options, '--epoch', '2', '--resume',
                  str(tmp_path / 'snapshot_iter_15'))
    assert ternary.returncode == 0, ternary.stderr
    assert '# method: float' not in ternary.stdout
    assert len(scripts.rows_of(tmp_path)) == 2
    assert len(scripts.rows_of(tmp_path / 'float')) == 1
    both = run(*options, '--epoch', '2', '--resume',
               str(tmp_path / 'float' / 'snapshot_iter_15'))
    assert both.returncode == 0, both.stderr
    for out in tmp_path, tmp_path / 'float':
        assert len(scripts.rows_of(out)) == 2


@pytest.mark.parametrize('options', [
    ['--method', 'twn'], ['--method', 'ttq', '--fixed-scales'],
    ['--method', 'ttq', '--gradient-of-Wn', 'paper_eq7', '--reduction',
     'mean'],
    ['--method', 'ttq', '--sparsity', '.5', '--skip', 'conv1', 'fc'],
    ['--method', 'ttq', '--optimizer', 'sign', '--threshold', '.1']])
def test_variants(tmp_path, float_run, options):
    done = run(*SMALL, *options, '--init', float_run, '--out', str(tmp_path))
    assert done.returncode == 0, done.stderr
    row = scripts.rows_of(tmp_path)[0]
    assert row['main/loss'] < 10
    if '--fixed-scales' in options:
        assert row['fc/Wp'] == row['fc/Wn'] == 1
    if '--sparsity' in options:
        assert row['zeros'] == pytest.approx(.5, abs=1e-3)
        assert 'fc/Wp' not in row
    if '--optimizer' in options:
        with numpy.load(str(tmp_path / 'snapshot_iter_15')) as archive, \
                numpy.load(float_run) as before:
            key = 'updater/model:main/predictor/conv1/W'
            steps = (archive[key] - before[key]) / .001
        numpy.testing.assert_allclose(steps, numpy.round(steps), atol=1e-3)


@pytest.mark.parametrize('options,named', [
    (['--threshold', '1.5'], 'threshold'), (['--sparsity', '1'], 'sparsity'),
    (['--skip', 'conv9'], 'conv9'), (['--init', 'nothing'], 'nothing'),
    (['--sparsity', '.9999999', '--skip', 'conv1', 'conv2'], 'all zeros'),
    (['--method', 'bnn'], '--method bnn')])
def test_bad_input(tmp_path, float_run, options, named):
    if '--init' not in options:
        options = options + ['--init', float_run]
    done = run(*SMALL, *options, '--out', str(tmp_path))
    assert done.returncode == 2
    assert named in done.stderr.strip().splitlines()[-1]
    assert 'Traceback' not in done.stderr


def test_float_snapshot_of_another_architecture(tmp_path, float_run):
    done = run('--dataset', 'digits', '--model', 'mlp', '--method', 'ttq',
               '--epoch', '1', '--init', float_run, '--out', str(tmp_path))
    assert done.returncode == 2
    assert 'another architecture' in done.stderr
