"""The commit that a run was made with."""

import subprocess

import pytest

from quantized_net.training import versions


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    def git(*args):
        subprocess.run(
            ['git', '-c', 'user.name=a', '-c', 'user.email=a@b', *args],
            cwd=tmp_path, check=True, capture_output=True)

    (tmp_path / 'quantized_net').mkdir()
    (tmp_path / 'results').mkdir()
    for name in ('quantized_net/__init__.py', 'results/log'):
        (tmp_path / name).write_text('')
    git('init')
    git('add', '.')
    git('commit', '-m', 'all')
    monkeypatch.setattr(
        versions.quantized_net, '__file__',
        str(tmp_path / 'quantized_net' / '__init__.py'))
    return tmp_path


def test_changed_code_is_told_and_a_new_result_is_not(checkout):
    commit = versions.versions()['commit']
    assert len(commit) >= 12 and 'dirty' not in commit
    (checkout / 'results' / 'log').write_text('another run')
    (checkout / 'new').write_text('')
    assert versions.versions()['commit'] == commit
    (checkout / 'quantized_net' / '__init__.py').write_text('x = 1')
    assert versions.versions()['commit'] == commit + '-dirty'


def test_no_checkout(tmp_path, monkeypatch):
    monkeypatch.setattr(
        versions.quantized_net, '__file__', str(tmp_path / 'a' / 'b.py'))
    monkeypatch.setenv('GIT_CEILING_DIRECTORIES', str(tmp_path.parent))
    assert versions.versions()['commit'] is None
