"""The committed results say what the READMEs say."""

import json
import pathlib
import subprocess
import sys

import pytest

from quantized_net import experiments

ROOT = pathlib.Path(__file__).resolve().parent.parent
ALL = experiments.find()
RUNS = sorted(path.parent for path in (ROOT / 'results').rglob(
    'seed*/args.json'))


def test_tables_are_current():
    done = subprocess.run(
        [sys.executable, str(ROOT / 'tools' / 'results_tables.py'),
         '--check'], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    'run', RUNS, ids=lambda run: '-'.join(run.parts[-3:]))
def test_run_is_whole(run):
    files = {path.name for path in run.iterdir()}
    assert files >= {'args.json', 'log', 'table.txt'}
    key = run.parent.relative_to(ROOT / 'results').as_posix()
    variant = experiments.variant(ALL, key)
    if run.name == 'seed%d' % variant.seeds[0]:
        assert files >= {'loss.png', 'accuracy.png'}
    if 'model.npz' in files:
        assert (run / 'model.npz').stat().st_size < 4 << 20
    args = json.loads((run / 'args.json').read_text())
    log = json.loads((run / 'log').read_text())
    assert run.name == 'seed%d' % args['seed']
    assert [row['epoch'] for row in log] == list(range(1, args['epoch'] + 1))
    assert not args['versions']['commit'].endswith('-dirty')
    # the printed table is that of the log
    rows = (run / 'table.txt').read_text().splitlines()[-len(log):]
    for line, row in zip(rows, log):
        epoch, loss = line.split()[:2]
        assert int(epoch) == row['epoch']
        assert float(loss) == pytest.approx(row['main/loss'], 1e-4)
