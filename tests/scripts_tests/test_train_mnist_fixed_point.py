"""train_mnist.py in fixed point: killed and resumed, refused."""

import functools

import numpy
import pytest

import scripts

SMALL = ['--dataset', 'digits', '--model', 'cnn', '--method', 'fixed_point',
         '--fl', '8', '--output-fl', '10', '--optimizer', 'momentum', '--lr',
         '.1']

run = functools.partial(scripts.run, 'train_mnist.py')


def test_killed_and_resumed(tmp_path):
    scripts.assert_kill_and_resume_is_one_run(
        tmp_path, 1, 'train_mnist.py', *SMALL, '--epoch', '3')
    with numpy.load(tmp_path / 'whole' / 'model.npz') as model:
        for name in ('conv1/W', 'conv2/b', 'fc4/W'):
            assert (model[name] * 256 % 1 == 0).all() and model[name].any()


@pytest.mark.parametrize('options,named', [
    (['--fl', '15', '--word-length', '17'], 'up to 16 bits'),
    (['--output-fl', '16', '--word-length', '1'], 'from 2 to 24'),
    (['--rounding', 'up'], '--rounding')])
def test_bad_input(tmp_path, options, named):
    done = run(*SMALL, *options, '--epoch', '1', '--out', tmp_path)
    assert done.returncode == 2
    assert named in done.stderr and 'Traceback' not in done.stderr
