"""train_mnist.py freezing portions, stopped and resumed."""

import functools

import scripts

SMALL = ['--dataset', 'digits', '--model', 'mlp', '--unit', '8', '--method',
         'inq', '--bits', '3', '--portions', '.4', '.7', '1', '--epoch', '4',
         '--optimizer', 'momentum', '--weight-decay', '.01', '--lr', '.05',
         '--schedule', 'linear']

run = functools.partial(scripts.run, 'train_mnist.py')


def test_stopped_within_the_portions_and_resumed(tmp_path):
    whole, pieces = tmp_path / 'whole', tmp_path / 'pieces'
    done = run(*SMALL, '--out', whole)
    assert done.returncode == 0, done.stderr
    frozen = [round(row['frozen'], 3) for row in scripts.rows_of(whole)]
    assert frozen[0] == .4 and frozen[2] == .7 and frozen[-1] == 1
    more = ['--init', whole / 'float' / 'model.npz', '--out', pieces]
    for epoch in ('1', '3'):
        done = run(*SMALL, *more, '--autoload', '--pause-after', epoch)
        assert done.returncode == 75, done.stderr
    done = run(*SMALL, *more, '--autoload')
    assert done.returncode == 0, done.stderr
    scripts.assert_same_run(whole, pieces)
    other = run(*SMALL, *more, '--autoload', '--epoch', '5')
    assert other.returncode == 2
    assert 'epoch' in other.stderr
