"""What happens to one rank ends all within seconds, and is said once."""

import os
import re
import shutil
import signal
import subprocess
import time

import pytest

import mpi

FAULTY = os.path.join(os.path.dirname(__file__), 'faulty.py')
OPTIONS = ['train_mnist.py', '--communicator', 'naive', '--dataset', 'digits',
           '--method', 'float', '--unit', '20', '--batchsize', '250']
PER_EPOCH = 6  # iterations
SECONDS = 180  # for a machine with much else to do


def run(tmp_path, what, rank, *options):
    """With a fault two iterations after the first snapshot."""
    done = mpi.run(
        2, FAULTY, what, rank, PER_EPOCH + 1, *OPTIONS, '--epoch', 3,
        '--out', tmp_path / 'out', *options, cwd=mpi.ROOT, seconds=SECONDS)
    lines = [line for line in done.stderr.splitlines()
             if line.startswith('train_mnist.py: ')]
    return done, lines


def assert_goes_on(tmp_path, iteration):
    """From a snapshot of this iteration, on one process."""
    out = tmp_path / 'out'
    newest = sorted(out.glob('snapshot_iter_*'),
                    key=lambda p: int(p.name.rsplit('_', 1)[1]))[-1]
    assert newest.name == 'snapshot_iter_%d' % iteration
    script, _, _, *options = OPTIONS
    done = mpi.run(1, mpi.ROOT / script, *options, '--epoch', 2, '--autoload',
                   '--out', out, seconds=SECONDS)
    assert done.returncode == 0, done.stderr
    assert not list(out.glob('.rank*'))


@pytest.mark.parametrize('what,rank,options,status,text', [
    ('SIGTERM', 1, [], 130, 'stopped on rank 1 at iteration 8; go on with'),
    ('clock', 1, ['--epoch-budget', 1e5], 75,
     'the time is up on rank 1 at iteration 8; go on with the same command'),
])
def test_all_stop_for_one_with_a_snapshot(
        tmp_path, what, rank, options, status, text):
    done, lines = run(tmp_path, what, rank, *options)
    assert done.returncode == status, done.stderr
    assert len(lines) == 1 and text in lines[0]
    assert_goes_on(tmp_path, 8)


@pytest.mark.parametrize('what,rank,text', [
    ('nan', 1, 'failed: main/loss is NaN or infinite on rank 1 at iteration 8'
     '; a lower learning rate may help; the last good snapshot is '),
    ('exception', 1, 'rank 1: failed: RuntimeError: something that nobody'),
    ('disk', 0, 'rank 0: failed: writing to '),
])
def test_a_failure_of_one_rank_ends_all(tmp_path, what, rank, text):
    done, lines = run(tmp_path, what, rank)
    assert done.returncode == 1, done.stderr
    assert len(lines) == 1 and text in lines[0]
    assert_goes_on(tmp_path, PER_EPOCH)


def test_a_killed_rank_ends_all(tmp_path):
    done, _ = run(tmp_path, 'SIGKILL', 1)
    assert done.returncode != 0
    # the launcher names the process, or the rank; the header has both
    pids = re.search(r'# processes: 2 \(Naive\): \S+:(\d+), \S+:(\d+)',
                     done.stdout).groups()
    assert re.search('rank 1|%s' % pids[1],
                     (done.stdout + done.stderr).split('# processes')[1][99:])
    assert_goes_on(tmp_path, PER_EPOCH)


def test_all_killed(tmp_path):
    out = tmp_path / 'out'
    process = subprocess.Popen(
        mpi.command(2, mpi.ROOT / OPTIONS[0], *OPTIONS[1:], '--epoch', 500,
                    '--out', out),
        start_new_session=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, **mpi.options())
    deadline = time.monotonic() + SECONDS
    while not list(out.glob('snapshot_iter_12')):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(.05)
    os.killpg(process.pid, signal.SIGKILL)
    output = process.communicate(timeout=SECONDS)[0]
    for pid in re.findall(r':(\d+)', output.split('# processes')[1])[:2]:
        while os.path.exists('/proc/%s' % pid):  # its launcher ends it
            assert time.monotonic() < deadline
            time.sleep(.05)
    script, *options = OPTIONS
    newest = max(int(p.name.rsplit('_', 1)[1])
                 for p in out.glob('snapshot_iter_*') if 'tmp' not in p.name)
    done = mpi.run(2, mpi.ROOT / script, *options, '--autoload', '--epoch',
                   newest // PER_EPOCH + 1, '--out', out, seconds=SECONDS)
    assert done.returncode == 0, done.stderr
    # one epoch more than before, no row lost
    epochs = [line.split()[0] for line in (
        out / 'table.txt').read_text().splitlines()
        if line[:1].isdigit()]
    assert epochs == [str(i + 1) for i in range(newest // PER_EPOCH + 1)]
    shutil.rmtree(out)


def test_a_wrong_option_is_said_once(tmp_path):
    done = mpi.run(2, mpi.ROOT / OPTIONS[0], *OPTIONS[1:], '--drops', 3,
                   '--out', tmp_path / 'out', seconds=SECONDS)
    assert done.returncode == 2
    assert done.stderr.count('--drops says nothing') == 1


@pytest.mark.parametrize('options,text', [
    (['--batchsize', 99], '--batchsize 99 can not be divided among 2 proc'),
    (['--resume', 'x'], 'there is no snapshot x'),
])
def test_bad_input_ends_all_ranks_in_one_line(tmp_path, options, text):
    done = mpi.run(2, mpi.ROOT / OPTIONS[0], *OPTIONS[1:], *options,
                   '--out', tmp_path / 'out', seconds=SECONDS)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count('train_mnist.py: ') == 1
    assert text in done.stderr


def test_several_processes_without_a_communicator(tmp_path):
    script, _, _, *options = OPTIONS
    done = mpi.run(2, mpi.ROOT / script, *options, '--out', tmp_path / 'out',
                   seconds=SECONDS)
    assert done.returncode == 2
    assert done.stderr.count('2 processes were started: say how') == 1
