"""tools/chainer_tests.py puts our names in, on a checkout of one file."""

import pathlib
import subprocess
import sys

TOOL = pathlib.Path(__file__).resolve().parent.parent.parent / 'tools' / (
    'chainer_tests.py')

TESTS = '''
import chainer
from chainer import links
from chainer import links as L
from chainer.links import Convolution2D
import quantized_net


def test_names():
    for found in (links.Convolution2D, L.Convolution2D, Convolution2D,
                  chainer.links.Convolution2D):
        assert found is quantized_net.links.Convolution2D
    assert L.Linear is chainer.links.Linear is not None


def test_inside():
    inside = L.MLPConvolution2D(1, (2,), 1)[0]
    assert type(inside) is quantized_net.links.Convolution2D


def test_a_promise_that_only_chainer_keeps():
    assert L.Convolution2D.__module__.startswith('chainer')


def test_a_promise_that_chainer_breaks_too():
    assert not chainer
'''


def run(*args):
    return subprocess.run(
        [sys.executable, str(TOOL), *map(str, args)], capture_output=True,
        text=True)


def test_what_fails_with_our_names_alone(tmp_path):
    folder = (tmp_path / 'tests' / 'chainer_tests' / 'links_tests'
              / 'connection_tests')
    folder.mkdir(parents=True)
    (folder / 'test_convolution_2d.py').write_text(TESTS)
    done = run(tmp_path, 'link-convolution', '--way', 'everywhere')
    assert done.returncode == 1
    assert '2 failed, 2 passed' in done.stdout
    *_, count, name = done.stdout.splitlines()
    assert count == '1 fail with our names alone'
    assert name.endswith('test_a_promise_that_only_chainer_keeps')
    done = run(tmp_path, 'link-convolution', '--', '-k', 'test_names')
    assert (done.returncode, done.stderr) == (0, '')
    assert '1 passed, 3 deselected' in done.stdout
    assert done.stdout.endswith('\n0 fail with our names alone\n')


def test_no_checkout(tmp_path):
    done = run(tmp_path)
    assert done.returncode == 2 and 'no checkout of Chainer' in done.stderr
