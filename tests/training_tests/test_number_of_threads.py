"""The number of threads that a run is made with."""

import json
import os

import pytest

from quantized_net.training import threads


@pytest.fixture
def environment(monkeypatch):
    """Sets the variables; four processors."""
    monkeypatch.setattr(
        threads.os, 'sched_getaffinity', lambda _: {0, 1, 2, 5},
        raising=False)

    def set_to(**values):
        for name in threads._VARIABLES:
            monkeypatch.delenv(name, raising=False)
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    set_to()
    return set_to


@pytest.mark.parametrize('values,expected', [
    ({}, 4), ({'OMP_NUM_THREADS': '2'}, 2), ({'OMP_NUM_THREADS': '3,1'}, 3),
    ({'OMP_NUM_THREADS': '2', 'OPENBLAS_NUM_THREADS': '1'}, 1),
    ({'OMP_NUM_THREADS': '9'}, 4), ({'OMP_NUM_THREADS': '0'}, 4),
    ({'OMP_NUM_THREADS': '-1'}, 4), ({'OMP_NUM_THREADS': 'many'}, 4)])
def test_number(environment, values, expected):
    environment(**values)
    assert threads.number() == expected


@pytest.mark.parametrize('text,told', [
    (json.dumps({'threads': 3}), True), (json.dumps({'threads': 2}), False),
    ('{}', False), ('[]', False), ('{"threads": "3"}', False), ('{', False),
    (None, False), ('[' * 100000, False)])
def test_another_number_is_told_in_a_line(
        environment, tmp_path, capsys, text, told):
    environment(OMP_NUM_THREADS='2')
    if text is not None:
        (tmp_path / 'args.json').write_text(text)
    threads.tell_of_another(str(tmp_path))
    err = capsys.readouterr().err
    assert err.count('\n') == told
    assert ('3 thread(s)' in err and 'with 2' in err
            and 'OMP_NUM_THREADS=3' in err) == told


def test_processors_that_can_not_be_asked(environment, monkeypatch):
    monkeypatch.delattr(threads.os, 'sched_getaffinity')
    assert threads.number() == os.cpu_count()
