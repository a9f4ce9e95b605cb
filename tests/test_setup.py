"""What sets the project up: tools/setup_env.sh, _bootstrap.py, pyproject.

The Pythons here are shell scripts that answer as a Python would, so that no
environment is really made.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tomllib

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent

FAKE_PYTHON = '''#!/bin/sh
case "$*" in
    *print*) echo {version} ;;
    *ensurepip*) exit {no_venv:d} ;;
    '-m venv .venv') mkdir -p .venv/bin
        touch .venv/pyvenv.cfg
        cp "$0" .venv/bin/python ;;
    *'pip install'*) echo "$*" >>calls
        echo "$PIP_CONSTRAINT" >constraint
        echo "$PIP_BUILD_CONSTRAINT" >build-constraint
        cat pip-says
        exit $(cat pip-status) ;;
esac
'''
NAMES = ('python3.13', 'python3.12', 'python3.11', 'python3.14',
         'python3.15', 'python3')


class Checkout:

    """A copy of what the set-up reads, with Pythons of its own on PATH."""

    def __init__(self, folder):
        self.folder = folder / 'a checkout'
        self.bin = folder / 'bin'
        self.bin.mkdir()
        (self.folder / 'tools').mkdir(parents=True)
        (self.folder / 'quantized_net' / 'kernels').mkdir(parents=True)
        for name in ('pyproject.toml', 'setup.py', 'tools/setup_env.sh',
                     'tools/build-constraints.txt',
                     'quantized_net/kernels/native.c'):
            shutil.copy(ROOT / name, self.folder / name)
        # pyenv's shims are there, and fail
        for name in NAMES:
            self.put(name, '#!/bin/sh\necho "not found" >&2\nexit 127\n')
        self.pip(0, '')

    def put(self, name, text):
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)

    def put_python(self, name, version, no_venv=False):
        self.put(name, FAKE_PYTHON.format(version=version, no_venv=no_venv))

    def pip(self, status, says):
        """What pip is going to do."""
        (self.folder / 'pip-status').write_text(str(status))
        (self.folder / 'pip-says').write_text(says)

    def setup(self, *extras, **environ):
        """Returns the exit status, and standard error."""
        environ = dict(PATH='%s:/usr/bin:/bin' % self.bin, **environ)
        done = subprocess.run(
            ['sh', self.folder / 'tools' / 'setup_env.sh', *extras],
            env=environ, cwd='/', stdin=subprocess.DEVNULL,
            capture_output=True, text=True)
        return done.returncode, done.stderr

    def fails(self, *extras, **environ):
        """Returns the one line that a set-up which fails prints."""
        status, line = self.setup(*extras, **environ)
        assert status == 2
        assert line.startswith('setup: error: ')
        assert line.count('\n') == 1
        return line

    @property
    def calls(self):
        """What pip was asked for so far."""
        path = self.folder / 'calls'
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.split('-e ')[1] for line in lines]

    def python_version(self):
        done = subprocess.run(
            [self.folder / '.venv/bin/python', '-c', 'print'],
            capture_output=True, text=True, check=True)
        return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path)


def test_sets_up_once(checkout):
    checkout.put_python('python3.12', '3.12.1')
    assert checkout.setup() == (0, '')
    assert checkout.setup() == (0, '')
    assert checkout.calls == ['.']
    assert (checkout.folder / '.venv/.complete').exists()
    assert not (checkout.folder / '.venv/.incomplete').exists()


def test_constrains_setuptools_for_every_pip(checkout):
    checkout.put_python('python3', '3.11.7')
    checkout.setup(PIP_CONSTRAINT='mine.txt')
    constraints = (checkout.folder / 'constraint').read_text().split()
    assert constraints == ['mine.txt', 'tools/build-constraints.txt']
    constraints = (checkout.folder / 'build-constraint').read_text().split()
    assert constraints == ['tools/build-constraints.txt']
    text = (ROOT / constraints[0]).read_text()
    assert text.splitlines()[-1] == 'setuptools<81'


def test_extras_add_up(checkout):
    checkout.put_python('python3', '3.11.7')
    checkout.setup()
    checkout.setup('test')
    checkout.setup('test', 'cuda13')
    checkout.setup()
    checkout.setup('test')
    assert checkout.calls == ['.', '.[test]', '.[cuda13,test]']


def test_refuses_unknown_extra(checkout):
    checkout.put_python('python3', '3.11.7')
    line = checkout.fails('cuda14')
    assert ("no extra 'cuda14', only: bench cuda12 cuda13 imagenet mpi mpich "
            'test' in line)
    assert checkout.calls == []


def test_refuses_both_cudas(checkout):
    checkout.put_python('python3', '3.11.7')
    checkout.setup('cuda12')
    assert 'exclude each other' in checkout.fails('cuda13')
    assert checkout.setup() == (0, '')


def test_goes_on_where_pyproject_changed(checkout):
    checkout.put_python('python3', '3.11.7')
    checkout.setup()
    with open(checkout.folder / 'pyproject.toml', 'a') as f:
        f.write('# one more line\n')
    kept = checkout.folder / '.venv' / 'kept'
    kept.touch()
    checkout.setup()
    checkout.setup()
    assert checkout.calls == ['.', '.']
    assert kept.exists()


def test_takes_the_first_python_that_will_do(checkout):
    checkout.put_python('python3.13', '3.13.0', no_venv=True)
    checkout.put_python('python3.11', '3.11.7')
    checkout.put_python('python3', '3.12.1')
    checkout.setup()
    assert checkout.python_version() == '3.11.7'


def test_python_can_be_named(checkout):
    checkout.put_python('python3.13', '3.13.0')
    checkout.put_python('mine', '3.11.7')
    checkout.setup()
    assert checkout.python_version() == '3.13.0'
    for _ in range(2):  # made anew once
        checkout.setup(PYTHON=str(checkout.bin / 'mine'))
        assert checkout.python_version() == '3.11.7'
    checkout.setup()
    assert checkout.python_version() == '3.11.7'
    assert len(checkout.calls) == 2


@pytest.mark.parametrize('version,says', [
    ('3.14.2', ''), ('3.15.0', ''),
    ('3.16.0', 'setup: warning: Python 3.16.0'),
    ('3.100.1', 'setup: warning: Python 3.100.1')])
@pytest.mark.parametrize('named', [{}, {'PYTHON': 'python3'}])
def test_takes_new_ones(checkout, version, says, named):
    checkout.put_python('python3', version)
    status, line = checkout.setup(**named)
    assert status == 0 and line.startswith(says)
    assert line.count('\n') == bool(says)
    assert checkout.python_version() == version


@pytest.mark.parametrize('version', ['2.7.18', '3.10.13', '3.1.5'])
def test_refuses_too_old(checkout, version):
    checkout.put_python('python3', version)
    line = checkout.fails()
    assert 'Python 3.11 or newer is needed' in line
    assert 'python3 is ' + version in line
    line = checkout.fails(PYTHON='python3')
    assert 'PYTHON=python3 is Python %s;' % version in line
    assert not (checkout.folder / '.venv').exists()


def test_no_python_at_all(checkout):
    assert 'Python 3.11 or newer is needed; install' in checkout.fails()
    assert 'PYTHON=nothing does not run' in checkout.fails(PYTHON='nothing')


def test_debian_without_venv(checkout):
    checkout.put_python('python3', '3.11.2', no_venv=True)
    line = checkout.fails()
    assert 'python3 (3.11.2) lacks venv' in line
    assert 'sudo apt install python3.11-venv' in line


@pytest.mark.parametrize('says, needed', [
    ('WARNING: Retrying (Retry(total=4)) after connection broken\n',
     'what is needed'),
    ('ERROR: No matching distribution found for chainer==7.8.1\n',
     'chainer==7.8.1'),
    # of an index out of reach, with a constraint
    ('  ERROR: ResolutionImpossible: for help visit\n'
     'error: subprocess-exited-with-error\n', 'what is needed')])
def test_index_out_of_reach(checkout, says, needed):
    checkout.put_python('python3', '3.11.7')
    checkout.pip(1, says)
    line = checkout.fails()
    assert 'pip can not reach an index that has %s:' % needed in line
    assert 'the log is in .venv-log' in line
    assert says in (checkout.folder / '.venv-log').read_text()
    checkout.pip(0, '')
    assert checkout.setup() == (0, '')


def test_environment_stays_whole_where_an_extra_is_out_of_reach(checkout):
    checkout.put_python('python3', '3.11.7')
    checkout.setup()
    checkout.pip(1, 'ERROR: No matching distribution found for pytest\n')
    checkout.fails('test')
    assert checkout.setup() == (0, '')
    assert checkout.calls == ['.', '.[test]']


def test_pip_fails_otherwise(checkout):
    checkout.put_python('python3', '3.11.7')
    checkout.pip(1, 'one\nERROR: no space left on device\n')
    line = checkout.fails()
    assert 'pip failed (ERROR: no space left on device)' in line


def test_interrupted_is_made_anew(checkout):
    dying = FAKE_PYTHON.replace('cat pip-says', 'kill -9 $PPID')
    checkout.put('python3', dying.format(version='3.11.7', no_venv=False))
    status, _ = checkout.setup()
    assert status == -9
    assert not (checkout.folder / '.venv/.complete').exists()
    (checkout.folder / '.venv/left').touch()
    checkout.put_python('python3', '3.11.7')
    assert checkout.setup() == (0, '')
    assert not (checkout.folder / '.venv/left').exists()
    assert (checkout.folder / '.venv/.complete').exists()


def test_two_at_once(checkout):
    checkout.put_python('python3', '3.11.7')
    marker = checkout.folder / '.venv' / '.incomplete'
    marker.parent.mkdir()
    marker.write_text('process: %d\n' % os.getpid())
    line = checkout.fails()
    assert 'another set-up (process %d) is at work' % os.getpid() in line


def test_moved_checkout_is_made_anew(checkout, tmp_path):
    checkout.put_python('python3', '3.11.7')
    checkout.setup('test')
    checkout.folder = checkout.folder.rename(tmp_path / 'elsewhere')
    (checkout.folder / '.venv/left').touch()
    assert checkout.setup() == (0, '')
    assert not (checkout.folder / '.venv/left').exists()
    assert checkout.calls == ['.[test]', '.[test]']


def test_leaves_environments_of_others_alone(checkout):
    checkout.put_python('python3', '3.11.7')
    theirs = checkout.folder / '.venv' / 'pyvenv.cfg'
    theirs.parent.mkdir()
    theirs.touch()
    assert '.venv was not made by make' in checkout.fails()
    assert theirs.exists()


@pytest.fixture
def script(tmp_path):
    """A script that starts as ours do, and an environment beside it."""
    folder = tmp_path / 'a checkout'
    (folder / '.venv' / 'bin').mkdir(parents=True)
    shutil.copy(ROOT / '_bootstrap.py', folder)
    (folder / 'quantized_net').mkdir()
    shutil.copy(ROOT / 'quantized_net' / '_process.py',
                folder / 'quantized_net')
    script = folder / 'train.py'
    script.write_text('import _bootstrap\nprint("started here")\n')
    python = folder / '.venv' / 'bin' / 'python'
    python.write_text('#!/bin/sh\nprintf "%s;" "$@"\n')
    python.chmod(0o755)
    return script


def start(script, *options):
    # without site there is no chainer
    return subprocess.run(
        [sys.executable, *options, script, '-e', 'a b'], cwd='/',
        stdin=subprocess.DEVNULL, capture_output=True, text=True)


def test_script_enters_environment(script):
    done = start(script, '-S')
    assert done.stdout == '%s;-e;a b;' % script
    assert done.returncode == 0


def test_script_stays_where_chainer_is(script):
    assert start(script).stdout == 'started here\n'


def test_script_settles_the_process_first(script):
    script.write_text('import _bootstrap, os, sys\n'
                      'print("numpy" in sys.modules,'
                      ' os.environ["OPENBLAS_THREAD_TIMEOUT"])')
    assert start(script).stdout == 'False 4\n'


def test_script_without_environment(script):
    shutil.rmtree(script.parent / '.venv')
    done = start(script, '-S')
    assert done.returncode == 2
    assert done.stdout == ''
    assert done.stderr == (
        'train.py: error: chainer is not installed; run "make setup" in %s\n'
        % script.parent)


def test_script_beside_half_made_environment(script):
    (script.parent / '.venv' / '.incomplete').touch()
    assert start(script, '-S').returncode == 2


def test_script_enters_environment_without_chainer_once(script):
    python = script.parent / '.venv' / 'bin' / 'python'
    python.write_text('#!/bin/sh\nexec %s -S "$@"\n' % sys.executable)
    done = start(script, '-S')
    assert done.returncode == 2
    assert done.stderr.count('\n') == 1


def test_import_from_elsewhere_goes_on(script, tmp_path):
    other = tmp_path / 'other.py'
    other.write_text('import sys; sys.path.insert(0, %r)\nimport train\n'
                     % str(script.parent))
    assert start(other, '-S').stdout == 'started here\n'


def test_every_folder_is_a_package():
    # setuptools finds no other
    for path in (ROOT / 'quantized_net').rglob('*.py'):
        assert (path.parent / '__init__.py').exists(), path.parent


def test_version():
    with open(ROOT / 'pyproject.toml', 'rb') as f:
        project = tomllib.load(f)
    attribute = project['tool']['setuptools']['dynamic']['version']['attr']
    assert attribute == 'quantized_net._version.__version__'
    # a literal and nothing else, for setuptools to read without NumPy
    text = (ROOT / 'quantized_net' / '_version.py').read_text()
    assert text.startswith("__version__ = '")


@pytest.mark.parametrize('path', [
    '.ci/run', 'tools/setup_env.sh', 'train_mnist.py'])
def test_executable(path):
    assert os.access(ROOT / path, os.X_OK)
