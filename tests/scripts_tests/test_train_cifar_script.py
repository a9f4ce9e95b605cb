"""train_cifar.py as a user runs it."""

import functools
import json
import re

import pytest

import scripts

SMALL = ['--dataset', 'digits', '--epoch', '1', '--lr', '0.02']

run = functools.partial(scripts.run, 'train_cifar.py')


@pytest.fixture(scope='module')
def float_run(tmp_path_factory):
    out = tmp_path_factory.mktemp('float')
    done = run(*SMALL, '--method', 'float', '--out', str(out))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ''
    assert sorted(p.name for p in out.iterdir()) == [
        'accuracy.png', 'args.json', 'log', 'loss.png', 'model.npz',
        'snapshot_iter_12', 'table.txt']
    return str(out / 'model.npz')


def test_one_command_trains_both(tmp_path):
    done = run(*SMALL, '--epoch', '2', '--out', str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ''
    assert '# method: float' in done.stdout
    assert '# method: ttq' in done.stdout
    assert re.search(r'digits, resnet20, ttq, seed 0, epoch 2\n',
                     done.stdout)
    assert 'validation error %' in done.stdout
    assert 'no published figure' in done.stdout  # the digits are no CIFAR
    assert '16.55 times smaller' in done.stdout
    rows = scripts.rows_of(tmp_path)
    assert [row['epoch'] for row in rows] == [1, 2]
    # the classifier is ternary, the first convolution is not
    assert 'linear/Wp' in rows[0] and 'conv0/Wp' not in rows[0]
    assert {p.name for p in tmp_path.glob('*.png')} == {
        'accuracy.png', 'flips.png', 'histogram.png', 'kernels.png',
        'loss.png', 'scales.png'}
    saved = json.loads((tmp_path / 'args.json').read_text())
    assert saved['drops'] == [1, 1.5]
    assert saved['warmup'] == 2 / 80
    assert saved['init'] == str(tmp_path / 'float' / 'model.npz')


@pytest.mark.parametrize('options,ternary,decayed', [
    ([], 'linear', True), (['--skip', 'conv0', 'linear'], None, True),
    (['--no-decay-of-scales'], 'linear', False)])
def test_layers_and_decay(tmp_path, float_run, options, ternary, decayed):
    done = run(*SMALL, *options, '--weight-decay', '5', '--lr', '1e-4',
               '--init', float_run, '--out', str(tmp_path))
    assert done.returncode == 0, done.stderr
    row, = scripts.rows_of(tmp_path)
    assert ('linear/Wp' in row) == (ternary == 'linear')
    # twelve steps along 5 Wp, with momentum, take about two percent
    assert (row['res2/0/conv2/Wp'] < .99) == decayed


def test_warmup(tmp_path, float_run):
    done = run(*SMALL, '--warmup', '1', '--warmup-lr', '1e-9', '--init',
               float_run, '--out', str(tmp_path))
    assert done.returncode == 0, done.stderr
    row, = scripts.rows_of(tmp_path)
    assert row['res2/0/conv2/Wp'] == pytest.approx(1, abs=1e-6)


def test_kill_and_resume_is_one_run(tmp_path, float_run):
    scripts.assert_kill_and_resume_is_one_run(
        tmp_path, 1, 'train_cifar.py', *SMALL, '--epoch', '2', '--init',
        float_run)


def test_pieces_of_a_time_budget_are_one_run(tmp_path):
    options = [*SMALL, '--epoch', '2', '--method', 'float']
    whole, pieces = tmp_path / 'whole', tmp_path / 'pieces'
    assert run(*options, '--out', str(whole)).returncode == 0
    statuses = []
    while not statuses or statuses[-1] == 75:
        done = run(*options, '--out', str(pieces), '--autoload',
                   '--epoch-budget', '1' if len(statuses) < 3 else '100')
        statuses.append(done.returncode)
        if statuses[-1] == 75:
            assert re.search(
                r'time is up at iteration \d+; go on .*--resume ',
                done.stderr)
        assert 'Traceback' not in done.stderr
    assert statuses[-1] == 0 and 75 in statuses
    scripts.assert_same_run(whole, pieces, has_budget=True)


def bad_input(tmp_path):
    """Options, and what the one line has to name."""
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'damaged').write_bytes(b'PK\x03\x04')
    return {
        'data set': (['--dataset', 'cifar'], 'cifar'),
        'empty folder': (['--dataset', 'cifar10', '--data-dir',
                          str(tmp_path / 'empty')], 'data_batch_1'),
        'folder for digits': (['--data-dir', '.'], 'data_dir'),
        'init that is missing': (['--init', 'nothing'], 'nothing'),
        'init that is damaged': (
            ['--init', str(tmp_path / 'damaged')], 'damaged'),
        'architecture': (['--arch', 'resnet21'], '--arch'),
        'rate': (['--lr', '-1'], '--lr'),
        'momentum': (['--momentum', '1'], '--momentum'),
        'weight decay': (['--weight-decay', '-1'], '--weight-decay'),
        'drops': (['--drops', '4', 'nan'], '--drops'),
        'warm-up': (['--warmup', '-1'], '--warmup'),
        'budget': (['--epoch-budget', '0'], '--epoch-budget'),
        'batch too large': (['--batchsize', '5000'], '--batchsize 5000'),
        'sweep': (['--sweep', '0.5', '1'], '--sweep 1'),
        'sweep of another method': (
            ['--sweep', '0.5', '--method', 'twn'], '--sweep'),
    }


@pytest.mark.parametrize('name', [
    'data set', 'empty folder', 'folder for digits', 'init that is missing',
    'init that is damaged', 'architecture', 'rate', 'momentum',
    'weight decay', 'drops', 'warm-up', 'budget', 'batch too large', 'sweep',
    'sweep of another method'])
def test_bad_input(tmp_path, name):
    options, named = bad_input(tmp_path)[name]
    done = run('--dataset', 'digits', '--out', str(tmp_path / 'out'),
               *options)
    assert done.returncode == 2, done.stderr
    assert named in done.stderr.strip().splitlines()[-1]
    assert 'Traceback' not in done.stderr


@pytest.mark.parametrize('options,named', [
    (['--threshold', '1'], 'threshold must be in (0, 1)'),
    (['--sparsity', '1'], 'sparsity must be in [0, 1)'),
    (['--sparsity', '.99999'], 'would be all zeros'),
    (['--arch', 'resnet32'], 'of another architecture')])
def test_bad_ternary_options(tmp_path, float_run, options, named):
    done = run(*SMALL, '--init', float_run, '--out', str(tmp_path), *options)
    assert done.returncode == 2, done.stdout
    assert named in done.stderr.strip().splitlines()[-1]


def test_snapshot_of_another_run(tmp_path, float_run):
    done = run(*SMALL, '--method', 'float', '--momentum', '0.5', '--resume',
               float_run.replace('model.npz', 'snapshot_iter_12'), '--out',
               str(tmp_path))
    assert done.returncode == 2
    assert 'momentum is 0.9, here it is 0.5' in done.stderr


def test_real_cifar10(tmp_path, real_data):
    # seconds of the first epoch
    done = run('--data-dir', real_data, '--method', 'float', '--out',
               str(tmp_path), '--epoch-budget', '4')
    assert done.returncode == 75, done.stderr
    assert '# data set: cifar10' in done.stdout
    assert len(list(tmp_path.glob('snapshot_iter_*'))) == 1
