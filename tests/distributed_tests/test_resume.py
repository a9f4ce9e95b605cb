"""Snapshots go on on any number of ranks, in the same order of the data."""

import json

import numpy

import mpi

OPTIONS = ['--dataset', 'digits', '--method', 'float', '--batchsize', '488']


def run(n, out, *options):
    ranks = ['--communicator', 'naive'] if n > 1 else []
    done = mpi.run(n, mpi.ROOT / 'train_mnist.py', *OPTIONS, '--unit', '20',
                   *ranks, '--out', out, *options)
    assert done.returncode in (0, 75), done.stderr
    return done


def order(out, iteration):
    with numpy.load(out / ('snapshot_iter_%d' % iteration)) as f:
        return {name: f[name] for name in f.files
                if 'iterator' in name or 'RandomState' in name}


def test_two_one_and_four_ranks_see_the_data_of_one_process(tmp_path):
    whole, pieces = tmp_path / 'whole', tmp_path / 'pieces'
    run(1, whole, '--epoch', '3')
    run(2, pieces, '--epoch', '3', '--pause-after', '1')
    run(1, pieces, '--epoch', '3', '--autoload', '--pause-after', '2')
    done = run(4, pieces, '--epoch', '3', '--autoload')
    for iteration in (6, 9):
        expected, found = [order(p, iteration) for p in (whole, pieces)]
        assert expected and expected.keys() == found.keys()
        for name in expected:
            numpy.testing.assert_array_equal(
                found[name], expected[name], name)
    logs = [json.loads((p / 'log').read_text()) for p in (whole, pieces)]
    for a, b in zip(*logs):
        assert a.keys() == b.keys() and a['iteration'] == b['iteration']
        # the statistics of each rank's part of a batch are not the batch's
        assert abs(a['main/loss'] - b['main/loss']) < .2
    assert len(logs[0]) == len(logs[1]) == 3
    # one speaks
    assert done.stdout.count('validation accuracy') == 1
    assert {p.name for p in pieces.iterdir()} == {
        p.name for p in whole.iterdir()}


def test_stopped_in_mid_epoch_ranks_go_on_as_one_run(tmp_path):
    """Rows of the log, too, which has means over the ranks.

    Parameters are equal bit for bit; running statistics are averaged once
    more, which is the same but for rounding.
    """
    whole, pieces = tmp_path / 'whole', tmp_path / 'pieces'
    run(2, whole, '--epoch', '2')
    done = mpi.run(
        2, mpi.ROOT / 'tests' / 'distributed_tests' / 'faulty.py', 'SIGTERM',
        1, 3, 'train_mnist.py', *OPTIONS, '--unit', '20', '--communicator',
        'naive', '--epoch', '2', '--out', pieces, cwd=mpi.ROOT)
    assert done.returncode == 130, done.stderr
    assert (pieces / 'snapshot_iter_4').exists()
    run(2, pieces, '--epoch', '2', '--autoload')
    with numpy.load(whole / 'model.npz') as a, (
            numpy.load(pieces / 'model.npz')) as b:
        for name in a.files:
            if 'avg_' in name:
                numpy.testing.assert_allclose(
                    b[name], a[name], rtol=1e-5, err_msg=name)
            else:
                numpy.testing.assert_array_equal(a[name], b[name], name)
    rows, others = [json.loads((p / 'log').read_text())
                    for p in (whole, pieces)]
    for row, other in zip(rows, others):
        for key in row.keys() - {'elapsed_time'}:
            numpy.testing.assert_allclose(
                other[key], row[key], rtol=1e-6, err_msg=key)
