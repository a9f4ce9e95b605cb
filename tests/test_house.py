"""A method is one file and an experiment one toml; nothing else knows."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent

METHOD = '''
"""Weights are a half or nothing: for this test."""

from quantized_net import quantizers
from quantized_net.methods import method


class Halves(method.Method):

    name = 'halves'
    title = 'weights that are n-bit'
    source = 'arXiv:0000.00000'
    starts_from_float = True

    def add_options(self, group):
        group.add_argument('--bits', type=int, default=3)

    def weight_quantizer(self, args):
        return quantizers.LinearQuant(args.bits)
'''

TOML = '''
title = "A toy"
script = "{script}"
data = "digits"
options = {{ {network}, epoch = 2 }}

[variants.float]
options = {{ method = "float" }}

[variants.halves]
what = "three bits"
options = {{ method = "halves", bits = 4 }}
init = "float"

[[variants.halves.published]]
key = "validation/main/accuracy"
epoch = 2
value = 0.125
source = "a paper"
verified = false

[tables.main]
columns = [
    {{ head = "method", show = "name" }},
    {{ head = "what", show = "what" }},
    {{ head = "accuracy %", show = "last" }},
    {{ head = "published", show = "published" }},
]
'''


@pytest.fixture(scope='module')
def house(tmp_path_factory):
    """A copy of the project with one method and two experiments more."""
    copy = tmp_path_factory.mktemp('house') / 'project'
    shutil.copytree(
        ROOT, copy, ignore=shutil.ignore_patterns(
            '.*', 'results', 'tests', 'result', 'build', '__pycache__'))
    (copy / 'quantized_net' / 'methods' / 'halves.py').write_text(METHOD)
    for key, script, network in (
            ('toy', 'train_mnist.py', 'model = "convnet"'),
            ('deep', 'train_cifar.py', 'arch = "resnet20", lr = 0.02')):
        folder = copy / 'results' / key
        folder.mkdir(parents=True)
        (folder / 'experiment.toml').write_text(
            TOML.format(script=script, network=network))
    table = '<!-- table: toy main -->\n<!-- end -->\n'
    (copy / 'README.md').write_text(table)
    (copy / 'results' / 'README.md').write_text(table)
    return copy


def run(house, *args):
    return subprocess.run(
        [sys.executable, *map(str, args)], cwd=house, capture_output=True,
        text=True, timeout=300, stdin=subprocess.DEVNULL,
        env=dict(os.environ, OMP_NUM_THREADS='1'))


def test_scripts_take_it(house):
    for script in ('train_mnist.py', 'train_cifar.py'):
        done = run(house, script, '--help')
        assert 'halves: weights that are n-bit' in ' '.join(
            done.stdout.split())
        done = run(house, script, '--bits', '5')
        assert done.returncode == 2
        assert '--bits is an option of ' in done.stderr
        assert ' --method halves' in done.stderr
        done = run(house, script, '--method', 'halves', '--bits', '1')
        assert done.returncode == 2
        assert 'bits must be from 2 to 16' in done.stderr


def test_reproduce_table_and_summary_take_it(house):
    done = run(house, 'reproduce.py', '--list')
    assert done.returncode == 0, done.stderr
    assert re.search(r'toy/halves seed 0 +missing', done.stdout)
    # the float network first, which it starts from
    done = run(house, 'reproduce.py', 'toy/halves')
    assert done.returncode == 0, done.stderr
    assert done.stdout.index('to run: toy/float seed 0') < (
        done.stdout.index('to run: toy/halves seed 0'))
    assert 'LinearQuant' in done.stdout and 'times smaller' in done.stdout
    assert 'published (unverified): a paper' in done.stdout
    filed = house / 'results' / 'toy' / 'halves' / 'seed0'
    assert {path.name for path in filed.iterdir()} >= {
        'args.json', 'log', 'table.txt', 'model.npz', 'loss.png'}
    assert '"bits": 4' in (filed / 'args.json').read_text()
    done = run(house, 'tools/results_tables.py')
    assert done.returncode == 0, done.stderr
    row = (house / 'README.md').read_text().splitlines()[-2]
    assert row.startswith('| halves | three bits |')
    assert row.endswith('| 12.50 (unverified) |')
    done = run(house, 'reproduce.py', 'toy')
    assert 'everything is there' in done.stdout
    done = run(house, 'reproduce.py', 'toy/halves', '--check', '--epochs',
               '1')
    assert done.returncode == 0, done.stderr + done.stdout
    assert 'toy/halves seed 0: in the spread' in done.stdout


def test_the_other_script_runs_it(house):
    done = run(house, 'reproduce.py', 'deep/halves')
    assert done.returncode == 0, done.stderr
    assert 'LinearQuant' in done.stdout
    assert (house / 'results' / 'deep' / 'float' / 'seed0'
            / 'model.npz').exists()


def test_reproduce_refuses_what_it_does_not_know(house):
    for args, word in ((['toy/nothing'], 'toy/nothing'), ([], 'name what'),
                       (['--all', 'toy'], 'name what')):
        done = run(house, 'reproduce.py', *args)
        assert done.returncode == 2
        assert word in done.stderr and 'Traceback' not in done.stderr


def test_no_module_but_its_own_names_a_method():
    names = ('qnn', 'bnn', 'ttq', 'twn', 'bwn', 'binaryconnect', 'dorefa',
             'lsq')
    files = [ROOT / 'train_mnist.py', ROOT / 'train_cifar.py',
             ROOT / 'reproduce.py',
             *(ROOT / 'quantized_net' / 'training').glob('*.py')]
    for path in files:
        text = path.read_text()
        for name in names:
            # a network's default method is data of the script
            found = text.count("'%s'" % name)
            assert found <= text.count("'%s', " % name), path
