"""Damaged packed files: an error that names the file, or the same answer."""

import pathlib
import subprocess
import sys

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy
import pytest

import quantized_net
from quantized_net import inference
from quantized_net.packing import file
import packed_models

TOOLS = pathlib.Path(__file__).resolve().parent.parent.parent / 'tools'


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """The bytes of a packed file, images, and what it says of them."""
    path = tmp_path_factory.mktemp('fuzz') / 'net'
    model, shape = packed_models.build('rows')
    quantized_net.save_packed(path, model, shape)
    x = packed_models.images(shape, 2)
    return path.read_bytes(), x, quantized_net.load_packed(path)(x)


def assert_refused_or_the_same(content, whole):
    try:
        found = file.read_content('some/file', content)
    except quantized_net.UserError as e:
        assert 'some/file' in str(e) and str(e).isprintable()
        return
    numpy.testing.assert_array_equal(
        inference.Predictor(found.network)(whole[1]), whole[2])


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_bytes_that_are_others(whole, data):
    content = bytearray(whole[0])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(
            st.integers(0, 255))
    assert_refused_or_the_same(bytes(content), whole)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_parts_that_lack_or_are_too_many(whole, data):
    content = whole[0]
    start, stop, to = [
        data.draw(st.integers(0, len(content))) for _ in range(3)]
    part = data.draw(st.sampled_from(
        [b'', content[min(start, stop):max(start, stop)]])) + data.draw(
            st.binary(max_size=9))
    assert_refused_or_the_same(content[:to] + part + content[stop:], whole)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.binary(max_size=300))
def test_any_bytes(whole, content):
    assert_refused_or_the_same(content, whole)
    assert_refused_or_the_same(
        len(content).to_bytes(8, 'little') + content, whole)


@pytest.mark.skipif(
    not sys.platform.startswith('linux'), reason='limits of memory')
def test_the_tool_that_damages_packed_files():
    done = subprocess.run(
        [sys.executable, str(TOOLS / 'fuzz_packed.py'), '400', '7'],
        capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert ' 0 faults' in done.stdout
