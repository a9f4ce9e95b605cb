"""A mixed network is trained, resumed by its file, and refused another."""

import functools
import json

import scripts

TOML = '''
[layers.l1]
method = "buckets"
bits = {bits}

[layers.l2]
method = "inq"
portions = [0.5, 1]
'''

SMALL = ['--dataset', 'digits', '--model', 'mlp', '--unit', '8', '--epoch',
         '2', '--method', 'mixed']

run = functools.partial(scripts.run, 'train_mnist.py')


def test_run_and_resume(tmp_path):
    (tmp_path / 'a.toml').write_text(TOML.format(bits=4))
    (tmp_path / 'b.toml').write_text(TOML.format(bits=2))
    out = tmp_path / 'out'
    done = run(*SMALL, '--layers', tmp_path / 'a.toml', '--out', out,
               '--schedule', 'linear', '--pause-after', '1')
    assert done.returncode == 75, done.stderr  # the float network
    options = [*SMALL, '--schedule', 'linear', '--out', out, '--autoload']
    done = run(*options, '--layers', tmp_path / 'a.toml')
    assert done.returncode == 0, done.stderr
    assert 'Buckets' in done.stdout and 'INQ' in done.stdout
    saved = json.loads((out / 'args.json').read_text())['layers']
    assert saved[0] == ['l1', {'method': 'buckets', 'bits': 4}]
    log = (out / 'log').read_text()
    # with another file it is another run; with its own args.json the same
    done = run(*options, '--layers', tmp_path / 'b.toml')
    assert done.returncode == 2
    assert 'layers is' in done.stderr and 'Traceback' not in done.stderr
    done = run(*options, '--layers', out / 'args.json')
    assert done.returncode == 0, done.stderr
    assert (out / 'log').read_text() == log
    done = run(*SMALL, '--layers', tmp_path / 'c.toml')
    assert done.returncode == 2 and 'c.toml' in done.stderr
