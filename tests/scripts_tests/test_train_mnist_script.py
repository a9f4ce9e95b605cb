"""train_mnist.py as a user runs it."""

import functools
import json
import os
import re
import signal

import numpy
import pytest

import scripts

SMALL = ['--dataset', 'digits', '--unit', '32', '--epoch', '3']

run = functools.partial(scripts.run, 'train_mnist.py')


@pytest.mark.parametrize('method', ['qnn', 'bnn', 'float'])
def test_table_and_files(tmp_path, method):
    out = tmp_path / 'out'
    done = run(*SMALL, '--out', str(out), '--method', method,
               '--bn-eval', 'both')
    assert done.returncode == 0, done.stderr
    assert done.stderr == ''
    lines = done.stdout.splitlines()
    assert lines[:4] == [
        'GPU: -1', '# unit: 32', '# Minibatch-size: 100', '# epoch: 3']
    header = next(i for i, line in enumerate(lines)
                  if line.startswith('epoch'))
    assert lines[header].split()[:5] == [
        'epoch', 'main/loss', 'validation/main/loss', 'main/accuracy',
        'validation/main/accuracy']
    rows = [[float(x) for x in line.split()]
            for line in lines[header + 1:header + 4]]
    assert [row[0] for row in rows] == [1, 2, 3]
    assert rows[2][1] < rows[0][1] < 2.6
    assert .5 < rows[2][4] <= 1
    assert '\033' not in done.stdout
    # no comparison of the digits with figures of MNIST
    assert '0.9806' not in done.stdout and 'bundled digits' in done.stdout
    assert sorted(p.name for p in out.iterdir()) == [
        'accuracy.png', 'args.json', 'log', 'loss.png', 'model.npz',
        'snapshot_iter_29', 'snapshot_iter_44', 'table.txt']
    # between the two stands what was done to each layer
    report = lines[lines.index('') + 1:header]
    assert (method != 'float') == any(
        line.startswith('l1 ') and 'quantized' in line for line in report)
    assert (out / 'table.txt').read_text().splitlines() == [
        *lines[:lines.index('') + 1],
        *[line.rstrip() for line in lines[header:header + 4]]]
    log = json.loads((out / 'log').read_text())
    assert log[-1]['validation/main/accuracy'] == pytest.approx(rows[2][4])
    saved = json.loads((out / 'args.json').read_text())
    assert (saved['seed'], saved['method']) == (0, method)
    assert saved['versions']['numpy'] == numpy.__version__
    assert saved['threads'] >= 1


def test_same_seed_same_run(tmp_path):
    for name in ('a', 'b'):
        assert run(*SMALL, '--out', str(tmp_path / name)).returncode == 0
    scripts.assert_same_run(tmp_path / 'a', tmp_path / 'b')


def test_another_number_of_threads_is_told(tmp_path):
    assert run(*SMALL, '--out', str(tmp_path)).returncode == 0
    path = tmp_path / 'args.json'
    saved = json.loads(path.read_text())
    for before in (saved['threads'], saved['threads'] + 1):
        path.write_text(json.dumps(dict(saved, threads=before)))
        done = run(*SMALL, '--out', str(tmp_path), '--autoload')
        assert done.returncode == 0, done.stderr
        assert ('OMP_NUM_THREADS=%d' % before in done.stderr) == (
            before != saved['threads'])
        assert done.stderr.count('\n') <= 1


def test_validation(tmp_path):
    done = run(*SMALL, '--validation', '--out', str(tmp_path))
    assert re.search(r'chosen by validation: epoch \d, test accuracy 0\.\d',
                     done.stdout), done.stderr


@pytest.mark.parametrize('times', range(
    int(os.environ.get('QUANTIZED_NET_KILLS', 2))))
def test_kill_and_resume_is_one_run(tmp_path, times):
    scripts.assert_kill_and_resume_is_one_run(
        tmp_path, .8, 'train_mnist.py', '--dataset', 'digits', '--unit', '64',
        '--epoch', '8')


def test_ctrl_c_says_how_to_go_on(tmp_path):
    process = scripts.start(
        'train_mnist.py', '--dataset', 'digits', '--epoch', '500', '--out',
        tmp_path, until=tmp_path / 'log')
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert 'Traceback' not in err
    path = re.search(r'--resume (\S+snapshot_iter_\d+)', err).group(1)
    assert os.path.exists(path)
    iteration = int(path.rsplit('_', 1)[1])
    epoch = iteration * 100 // 1442 + 1
    done = run('--dataset', 'digits', '--epoch', str(epoch + 1),
               '--out', str(tmp_path), '--resume', path)
    assert done.returncode == 0, done.stderr


def bad_input(tmp_path):
    """Options, exit status, and what the one line has to name."""
    empty = tmp_path / 'empty'
    empty.mkdir()
    broken = tmp_path / 'broken'
    broken.mkdir()
    for name in ('train-images-idx3', 'train-labels-idx1',
                 't10k-images-idx3', 't10k-labels-idx1'):
        (broken / (name + '-ubyte.gz')).write_bytes(b'\x1f\x8b\x08half')
    (tmp_path / 'file').write_text('')
    (tmp_path / 'damaged').write_bytes(b'PK\x03\x04')
    return {
        'data set': (['--dataset', 'mnsit'], 'mnsit'),
        'no folder': (['--data-dir', str(tmp_path / 'no')], 'no such folder'),
        'empty folder': (['--data-dir', str(empty)], 'train-images'),
        'half a file': (['--data-dir', str(broken)], 'train-images-idx3'),
        'gpu': (['--gpu', '99'], '--gpu 99'),
        'device': (['--device', 'cuda'], '--device cuda'),
        'missing snapshot': (['--resume', 'nothing'], 'nothing'),
        'damaged snapshot': (
            ['--resume', str(tmp_path / 'damaged')], 'damaged'),
        'out is a file': (['--out', str(tmp_path / 'file')], '--out'),
        'zero units': (['--unit', '0'], '--unit'),
        'negative epochs': (['--epoch', '-1'], '--epoch'),
        'zero batch': (['--batchsize', '0'], '--batchsize'),
        'batch too large': (['--batchsize', '100000'], '--batchsize'),
    }


@pytest.mark.parametrize('name', [
    'data set', 'no folder', 'empty folder', 'half a file', 'gpu', 'device',
    'missing snapshot', 'damaged snapshot', 'out is a file', 'zero units',
    'negative epochs', 'zero batch', 'batch too large'])
def test_bad_input(tmp_path, name):
    options, named = bad_input(tmp_path)[name]
    options = list(options)
    if not {'--dataset', '--data-dir'} & set(options):
        options += ['--dataset', 'digits']
    if '--out' not in options:
        options += ['--out', str(tmp_path / 'out')]
    done = run(*options)
    assert done.returncode == 2, done.stderr
    message = done.stderr.strip().splitlines()[-1]
    assert named in message
    assert 'Traceback' not in done.stderr


def test_snapshot_of_another_method(tmp_path):
    assert run(*SMALL, '--out', str(tmp_path)).returncode == 0
    done = run(*SMALL, '--out', str(tmp_path), '--method', 'bnn',
               '--resume', str(tmp_path / 'snapshot_iter_44'))
    assert done.returncode == 2
    assert 'method is qnn, here it is bnn' in done.stderr


def test_loss_that_turns_nan(tmp_path):
    done = run(*SMALL, '--out', str(tmp_path), '--lr', '1e38',
               '--method', 'float')
    assert done.returncode == 1, done.stdout
    assert re.search(r'main/loss is NaN or infinite at iteration \d+',
                     done.stderr)
    assert 'Traceback' not in done.stderr


def test_real_mnist(tmp_path, real_data):
    done = run('--data-dir', real_data, '--epoch', '1', '--unit', '200',
               '--out', str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert '# data set: mnist' in done.stdout
    log = json.loads((tmp_path / 'log').read_text())
    assert log[0]['validation/main/accuracy'] > .94
