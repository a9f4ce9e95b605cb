"""Small data sets, and a cache of their own."""

import contextlib
import tracemalloc

import chainer
import pytest

from quantized_net.datasets import cifar

import cifar_files


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Both data sets with few images; an empty cache."""
    found = {name: cifar_files.Small(cifar.SPECS[name])
             for name in cifar_files.NAMES}
    monkeypatch.setattr(
        cifar, 'SPECS', {name: s.spec for name, s in found.items()})
    previous = chainer.dataset.get_dataset_root()
    chainer.dataset.set_dataset_root(str(tmp_path / 'cache'))
    yield found
    chainer.dataset.set_dataset_root(previous)


@pytest.fixture
def small10(small):
    return small['cifar10']


@pytest.fixture
def unreachable(monkeypatch):
    monkeypatch.setattr(cifar, 'MIRRORS', ('http://127.0.0.1:9/',))


@pytest.fixture
def peak():
    """A block in which memory grows by a number of bytes at most."""
    @contextlib.contextmanager
    def check(limit):
        tracemalloc.start()
        try:
            yield
            assert tracemalloc.get_traced_memory()[1] < limit
        finally:
            tracemalloc.stop()
    return check
