"""Any number of ranks train what one process trains."""

import os

import numpy
import pytest

import mpi

PROGRAM = os.path.join(os.path.dirname(__file__), 'equivalence.py')


def trained(tmp_path, n, *args):
    out = tmp_path / ('%d.npz' % n)
    ranks = ['ranks'] if n > 1 else []
    done = mpi.run(n, PROGRAM, *args[:3], out, *args[3:], *ranks)
    assert done.returncode == 0, done.stderr
    with numpy.load(out) as f:
        return dict(f)


@pytest.mark.parametrize('n,args', [
    (2, ('float', 'plain', 10)),
    (2, ('ttq', 'plain', 10)),
    (4, ('ttq', 'bn', 10, 'sync', 'adam')),
    (2, ('float', 'bn', 10, 'sync')),
    (2, ('twn', 'bn', 10, 'sync')),
    (3, ('ttq', 'bn', 10, 'sync')),
    # sums of a few codes tie in the pooling, and rounding decides: few steps
    (2, ('lsq', 'plain', 4)),
    (2, ('lsq', 'bn', 2, 'sync')),
])
def test_ranks_are_one_process(tmp_path, n, args):
    one, several = [trained(tmp_path, k, *args) for k in (1, n)]
    assert one.keys() == several.keys()
    if args[0] == 'ttq':
        assert any(name.endswith('Wp') for name in one)
    for name in one:
        # no bias before a BatchNormalization here, whose gradient is noise
        numpy.testing.assert_allclose(
            several[name], one[name], rtol=1e-10, atol=1e-10, err_msg=name)


def test_statistics_of_each_rank_are_not_those_of_one_process(tmp_path):
    """What the others show is not there by itself."""
    one, several = [trained(tmp_path, k, 'float', 'bn', 3) for k in (1, 2)]
    assert abs(one['|predictor|conv1|W'] - several[
        '|predictor|conv1|W']).max() > 1e-6
