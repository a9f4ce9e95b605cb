"""Codes to bytes and back: any coding, any shape, nothing passed over."""

import math

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy
import pytest

from quantized_net import packing
from quantized_net.packing import codes as codes_module


@pytest.mark.parametrize('coding', codes_module.CODINGS)
@pytest.mark.parametrize('shape', [
    (), (0,), (1,), (4,), (5,), (7,), (8,), (13, 7), (4, 3, 5, 2), (2, 0, 3),
    (2 ** 20 + 3,)])
def test_there_and_back(coding, shape):
    if coding == 'bits16' or math.prod(shape) < 1000 or coding in (
            'base3', 'bits3'):
        rng = numpy.random.RandomState(0)
        codes = rng.randint(
            0, codes_module.n_codes_of(coding), shape).astype(numpy.uint16)
        packed = packing.pack(codes, coding)
        assert packed.dtype == numpy.uint8
        assert packed.shape == (packing.n_bytes(codes.size, coding),)
        again = packing.unpack(packed, coding, shape)
        assert again.shape == shape
        assert again.dtype == (
            numpy.uint16 if coding in codes_module.CODINGS[9:]
            else numpy.uint8)
        numpy.testing.assert_array_equal(again, codes)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.sampled_from(codes_module.CODINGS),
       st.lists(st.integers(0, 5), min_size=1, max_size=4), st.data())
def test_drawn_codes_there_and_back(coding, shape, data):
    size = math.prod(shape)
    codes = numpy.array(data.draw(st.lists(
        st.integers(0, codes_module.n_codes_of(coding) - 1),
        min_size=size, max_size=size)), int).reshape(shape)
    packed = packing.pack(codes, coding)
    numpy.testing.assert_array_equal(
        packing.unpack(packed, coding, tuple(shape)), codes)


def test_layout():
    codes = numpy.array([1, 2, 0, 1, 2, 2])
    assert packing.pack(codes, 'base3').tolist() == [
        1 + 2 * 3 + 0 * 9 + 1 * 27 + 2 * 81, 2]
    assert packing.pack(codes, 'bits2').tolist() == [
        1 | 2 << 2 | 0 << 4 | 1 << 6, 2 | 2 << 2]
    assert packing.pack(codes % 2, 'bits1').tolist() == [1 | 1 << 3]
    assert packing.pack(codes + 5, 'bits3').tolist() == [
        6 | 7 << 3 | (5 & 3) << 6, 5 >> 2 | 6 << 1 | 7 << 4 | (7 & 1) << 7,
        7 >> 1]


def test_sizes():
    assert packing.n_bytes(160, 'base3') * 20 == 4 * 160
    assert packing.n_bytes(160, 'bits2') * 16 == 4 * 160
    assert packing.n_bytes(160, 'bits1') * 32 == 4 * 160
    assert [packing.coding_of(n) for n in (1, 2, 3, 4, 5, 255, 256, 65536)
            ] == ['bits1', 'bits1', 'base3', 'bits2', 'bits3', 'bits8',
                  'bits8', 'bits16']
    assert packing.coding_of(3, 'bits2') == 'bits2'
    for n in (0, 65537):
        with pytest.raises(ValueError, match='no coding'):
            packing.coding_of(n)


@pytest.mark.parametrize('coding,codes', [
    ('base3', [0, 3]), ('bits1', [2]), ('bits2', [4]), ('bits2', [-1]),
    ('bits16', [65536])])
def test_codes_beyond_the_coding_are_not_packed(coding, codes):
    with pytest.raises(ValueError, match='do not fit'):
        packing.pack(numpy.array(codes), coding)


@pytest.mark.parametrize('byte', [243, 255])
def test_bytes_that_are_none_in_base_3(byte):
    with pytest.raises(ValueError, match='byte %d' % byte):
        packing.unpack(numpy.array([0, byte], 'B'), 'base3', (10,))


@pytest.mark.parametrize('coding,n,packed', [
    ('base3', 4, [81]), ('base3', 1, [3]), ('bits1', 7, [128]),
    ('bits2', 3, [64]), ('bits3', 5, [0, 128]), ('bits16', 1, [1, 2, 3])])
def test_padding_is_checked(coding, n, packed):
    with pytest.raises(ValueError, match='not zero|bytes'):
        packing.unpack(numpy.array(packed, 'B'), coding, (n,))
    with pytest.raises(ValueError, match='bytes'):
        packing.unpack(numpy.array(packed + [0], 'B'), coding, (n,))


@pytest.mark.parametrize('coding', ['base4', 'bits0', 'bits17', '', None])
def test_unknown_codings(coding):
    with pytest.raises(ValueError, match='unknown coding'):
        packing.unpack(numpy.zeros(1, 'B'), coding, (1,))
