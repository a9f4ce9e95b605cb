"""What tools/fresh_machine.sh refuses; what it does needs root and a net."""

import os
import pathlib
import subprocess

import pytest

TOOL = pathlib.Path(__file__).resolve().parent.parent.parent / 'tools' / (
    'fresh_machine.sh')


@pytest.mark.parametrize('args,user,word', [
    ([], '0', 'usage'), (['trixie'], '0', 'usage'),
    (['trixie', '3.13'], '1000', 'need root'),
    (['trixie', '3.13'], '0', 'there is no debootstrap here')])
def test_refusals(tmp_path, args, user, word):
    """With an id of its own, and nothing else but a shell to call."""
    for name in ('sh', 'dirname'):
        path = next(p for p in ('/bin', '/usr/bin')
                    if os.path.exists(os.path.join(p, name)))
        (tmp_path / name).symlink_to(os.path.join(path, name))
    (tmp_path / 'id').write_text('#!/bin/sh\necho %s\n' % user)
    (tmp_path / 'id').chmod(0o755)
    done = subprocess.run(
        ['/bin/sh', str(TOOL), *args], capture_output=True, text=True,
        env={'PATH': str(tmp_path)}, cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ''
    line, = done.stderr.splitlines()
    assert line.startswith('fresh_machine: error: ') and word in line
    assert len(list(tmp_path.iterdir())) == 3
