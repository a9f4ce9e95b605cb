"""train_cifar.py with the networks of other papers, on the small digits."""

import pytest

import scripts


@pytest.mark.parametrize('options,named', [
    (['--arch', 'polino-student3', '--inputs', 'signed', '--bits', '2'],
     'Buckets(bits=2'),
    (['--arch', 'gupta-cnn', '--inputs', 'unit', '--no-augmentation'],
     'FixedPoint(')])
def test_networks(tmp_path, options, named):
    done = scripts.run(
        'train_cifar.py', '--dataset', 'digits', '--epoch', '1', '--lr',
        '.01', '--out', tmp_path, *options)
    assert done.returncode == 0, done.stderr
    assert named in done.stdout
    assert scripts.rows_of(tmp_path)[0]['main/loss'] < 2.4
