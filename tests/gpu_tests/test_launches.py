"""What a training step asks of the device."""

import collections
import json
import pathlib

import pytest

import cases

TABLE = pathlib.Path(__file__).with_name('launches.json')


def record_step(case, standin):
    """Of a step when the optimizer's state and all kernels are there."""
    case.step()
    batch = case.batch()
    case.batch = lambda: batch
    with standin.meter.recording() as record:
        case.step()
    return record


@pytest.mark.parametrize('name', cases.NAMES)
def test_step_reads_nothing_and_launches_no_more(gpu, standin, name):
    """A read makes the host wait.

    The number of launches is a lower bound of CuPy's.  Where it shrank,
    launches.json can follow.
    """
    record = record_step(cases.Case(name, gpu), standin)
    assert not record.reads
    found, known = record.launches.total(), json.loads(TABLE.read_text())
    by_name = collections.Counter()
    for (kernel, _), n in record.launches.items():
        by_name[kernel] += n
    print('%s: %d launches, %s' % (
        name, found, ', '.join('%d %s' % (n, k)
                               for k, n in by_name.most_common())))
    assert found <= known[name], 'more launches than in %s' % TABLE.name
