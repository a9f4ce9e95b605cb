"""The folder of a run: locked, and without what dead runs left."""

import os
import subprocess
import sys

import pytest

from quantized_net import errors
from quantized_net.training import out_folder
from quantized_net.training import run

HOLD = '''
import sys
from quantized_net.training import out_folder
out_folder.lock(sys.argv[1])
print('locked', flush=True)
sys.stdin.read()
'''


@pytest.fixture
def holder(tmp_path):
    """Another process that has locked tmp_path."""
    process = subprocess.Popen(
        [sys.executable, '-c', HOLD, str(tmp_path)], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE)
    assert process.stdout.readline() == b'locked\n'
    yield process
    process.kill()
    process.communicate()


def test_second_run_is_refused_until_the_first_ends(tmp_path, holder):
    with pytest.raises(errors.UserError, match='another run .*%s' % tmp_path):
        run.make_out(str(tmp_path))
    holder.kill()
    holder.wait()
    assert os.listdir(str(tmp_path)) == []
    for _ in range(2):  # a process may ask again
        run.make_out(str(tmp_path))


def dead_process():
    process = subprocess.Popen(['true'])
    process.wait()
    return process.pid


def test_leftovers_of_dead_processes(tmp_path):
    dead = dead_process()
    keep = ['log', 'snapshot_iter_5', 'mine.tmp', 'notes.tmp12x',
            'table.txt.tmp%d' % os.getpid()]
    gone = ['table.txt.tmp%d' % dead, 'snapshot_iter_9.tmp%d' % dead]
    for name in keep + gone:
        (tmp_path / name).write_text('')
    for name, content in (('tmpsnapshot_iter_7abc_1234', 'snapshot_iter_7'),
                          ('logabcd1234', 'log.json')):
        (tmp_path / name).mkdir()
        (tmp_path / name / content).write_text('')
    (tmp_path / 'logbookss').mkdir()
    (tmp_path / 'logbook_too').mkdir()
    (tmp_path / 'logbook_too' / 'page').write_text('')
    out_folder.remove_leftovers(str(tmp_path))
    assert sorted(os.listdir(str(tmp_path))) == sorted(
        keep + ['logbookss', 'logbook_too'])


def test_file_system_without_locks(tmp_path, monkeypatch):
    def fail(descriptor, operation):
        raise OSError('not supported')
    monkeypatch.setattr(out_folder.fcntl, 'flock', fail)
    out_folder.lock(str(tmp_path))
