"""tools/mutation.py: its mutants, the tests that it chooses, a small run."""

import importlib.util
import pathlib
import subprocess
import sys

import pytest

TOOL = pathlib.Path(__file__).resolve().parent.parent.parent / 'tools' / (
    'mutation.py')


@pytest.fixture(scope='module')
def mutation():
    spec = importlib.util.spec_from_file_location('mutation', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize('source,expected', [
    ('a < b', ['a < b -> a <= b']),
    ('a == b is c', ['a == b is c -> a != b is c',
                     'a == b is c -> a == b is not c']),
    ('x = a + 2', ['2 -> 3', 'a + 2 -> a - 2']),
    ('x = -a', ['-a -> a']), ('x = not a', ['not a -> a']),
    ('x = a and b', ['a and b -> a or b']),
    ('x += y', ['x += y -> pass', 'x += y -> x -= y']),
    ('f(a, k=b, help=c)', ['f(a, k=b, help=c) -> f(a, help=c)',
                           'f(a, k=b, help=c) -> pass']),
    ('if a:\n    b', ['if a: ... -> if not a: ...']),
    ('x = True', ['True -> False']), ("x = 'text' % a", []),
    ('def f(a: g(k=1)) -> 2:\n    "words 1"\n    raise E("%s" % (a + 1))',
     [])])
def test_mutants(mutation, source, expected):
    found = mutation.mutants_of('file.py', source)
    assert [m.what for m in found] == expected
    for m in found:
        assert m.line == 1 and m.source != source
        compile(m.source, m.path, 'exec')


def test_the_tests_of_a_file(mutation):
    for path, text, expected in (
            ('quantized_net/convert.py', '', [
                'tests/test_convert.py', 'tests/test_convert_rules.py']),
            ('quantized_net/functions/soften.py', '', [
                'tests/functions_tests/test_soften.py']),
            ('quantized_net/optimizer_hooks/other.py', 'class WeightClip: 1',
             ['tests/optimizer_hooks_tests/test_weight_clip.py'])):
        assert mutation.tests_of(path, text) == expected
    # nothing is named: all of the folder
    assert set(mutation.tests_of('quantized_net/links/nobody.py', '')) >= {
        'tests/links_tests/test_fast_links.py',
        'tests/links_tests/test_quantized_layers.py'}


@pytest.mark.skipif(
    not sys.platform.startswith('linux'), reason='it forks after imports')
def test_a_small_run():
    done = subprocess.run(
        [sys.executable, str(TOOL), '--only', 'quantized_net/text_table.py:18',
         '--jobs', '1'], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith(
        '2 of 2 mutants killed (100.0 %)')
