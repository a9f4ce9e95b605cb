"""Threads for the tests of the kernels."""

import pytest

from quantized_net.kernels import native


@pytest.fixture
def threads():
    """Sets the number of threads."""
    before = native.library().quantized_net_threads()
    yield native.set_threads
    native.set_threads(before)
