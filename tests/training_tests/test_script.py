"""How scripts end: with one line and the right status, whatever is amiss."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from quantized_net import errors
from quantized_net.training import run

SCRIPT = '''
import sys
from quantized_net import errors
from quantized_net.training import run


def main():
    what = sys.argv[1]
    if what == 'help':
        import argparse
        argparse.ArgumentParser().parse_args(['--help'])
    print('some output')
    if what == 'user':
        raise errors.UserError('the real error')
    if what == 'memory':
        raise MemoryError('all of it')
    if what == 'warn':
        sys.stderr.write('a warning\\n')
        sys.stderr.flush()
    if what == 'much':
        for _ in range(100000):
            print('more output')


if __name__ == '__main__':
    run.script(main)
'''

FULL = '> /dev/full'
CLOSED = '>&-'


@pytest.fixture
def script(tmp_path):
    path = tmp_path / 'script.py'
    path.write_text(SCRIPT)
    return str(path)


def shell(script, what, redirection, **environ):
    done = subprocess.run(
        ['bash', '-c', '"%s" "%s" %s %s; exit ${PIPESTATUS[0]}' % (
            sys.executable, script, what, redirection)],
        capture_output=True, text=True, timeout=120,
        # output waits in its buffer, as it does for a user
        env=dict(os.environ, PYTHONUNBUFFERED='', **environ))
    assert 'Traceback' not in done.stderr and 'ignored' not in done.stderr
    return done.returncode, done.stderr.strip()


@pytest.mark.parametrize('what,redirection,status,line', [
    ('nothing', '', 0, ''),
    ('nothing', FULL, 1, 'standard output (No space'),
    ('help', FULL, 1, 'standard output (No space'),
    ('much', '| head -1', 1, 'nobody reads'),
    ('nothing', CLOSED, 0, ''),
    ('nothing', CLOSED + ' 2>&- <&-', 0, ''),
    ('user', '', 2, 'error: the real error'),
    ('user', FULL, 2, 'error: the real error'),
    ('user', '| true', 2, 'error: the real error'),
    ('user', CLOSED, 2, 'error: the real error'),
    ('user', '2> /dev/full', 2, ''),
    ('user', '2>&-', 2, ''),
    ('user', CLOSED + ' 2>&-', 2, ''),
    ('user', FULL + ' 2>&1', 2, ''),
    ('warn', '2> /dev/full', 0, ''),
    ('warn', '2>&-', 0, ''),
    ('memory', '', 1, 'failed: out of memory (all of it)')])
def test_streams(script, what, redirection, status, line):
    found, message = shell(script, what, redirection)
    assert found == status
    assert line in message and message.count('\n') == 0


@pytest.mark.parametrize('name,value', [
    ('QUANTIZED_NET_KERNELS', 'garbage'), ('MPLBACKEND', 'garbage'),
    ('CHAINER_DTYPE', 'float16')])
def test_variables_of_the_environment(script, name, value):
    status, message = shell(script, 'nothing', '', **{name: value})
    assert status == 2
    assert value in message and message.count('\n') == 0


def test_name_that_the_terminal_does_not_know(script):
    assert shell(script, 'nothing', '', PYTHONIOENCODING='ascii')[0] == 0


@pytest.fixture
def imports(tmp_path):
    """Runs a script beside _bootstrap.py that does something after it."""
    root = pathlib.Path(__file__).resolve().parent.parent.parent
    shutil.copy(root / '_bootstrap.py', tmp_path)
    (tmp_path / 'quantized_net').mkdir()
    shutil.copy(root / 'quantized_net' / '_process.py',
                tmp_path / 'quantized_net')

    def start(code):
        path = tmp_path / 'script.py'
        path.write_text(
            'import _bootstrap, os, signal\n'
            'signal.signal(signal.SIGINT, signal.default_int_handler)\n'
            + code)
        return subprocess.run([sys.executable, str(path)],
                              capture_output=True, text=True)
    return start


@pytest.mark.parametrize('code,status,line', [
    ('raise KeyboardInterrupt', 130, 'script.py: interrupted\n'),
    ('raise ValueError("of a variable")', 2,
     'script.py: error: of a variable\n'),
    ('os.kill(os.getpid(), signal.SIGINT)', 130,
     'script.py: interrupted\n')])
def test_imports_end_in_one_line(imports, code, status, line):
    done = imports(code)
    assert (done.returncode, done.stderr) == (status, line)


def test_errors_of_programs_keep_their_traceback(imports):
    done = imports('raise AttributeError("a mistake")')
    assert done.returncode == 1 and 'Traceback' in done.stderr


@pytest.mark.parametrize('error,status,line', [
    (None, 0, ''), (SystemExit(), 0, ''), (SystemExit(7), 7, ''),
    (SystemExit('so many\nwords'), 1, 'so many words'),
    (errors.UserError('of a user'), 2, 'error: of a user'),
    (errors.TrainingFailed('NaN'), 1, 'failed: NaN'),
    (errors.Interrupted('on it goes'), 130, 'on it goes'),
    (errors.Paused('later'), 75, 'later'),
    (KeyboardInterrupt(), 130, 'interrupted'),
    (MemoryError(), 1, 'failed: out of memory (no more is known); a '
     'smaller network or batch needs less')])
def test_statuses(monkeypatch, capsys, error, status, line):
    def main():
        if error is not None:
            raise error

    monkeypatch.setattr(sys, 'argv', ['script.py'])
    before = sys.stdout, sys.stderr
    try:
        run.script(main)
        found = 0
    except SystemExit as e:
        found = e.code
    assert found == status
    assert capsys.readouterr().err == (
        '\nscript.py: %s\n' % line if line else '')
    assert (sys.stdout, sys.stderr) == before
