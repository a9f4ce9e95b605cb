"""The values of codes: by table, by rule, by row."""

import numpy
import pytest

from quantized_net import packing

Codebook = packing.Codebook

CODEBOOKS = {
    'table': lambda: Codebook.table(numpy.array([0, -1.5, .3], 'f')),
    'rows': lambda: Codebook.table(numpy.arange(12, dtype='f').reshape(4, 3)),
    'runs': lambda: Codebook.table(
        numpy.arange(9, dtype='f').reshape(3, 3), run=5),
    'uniform': lambda: Codebook.uniform(-1, 2. ** -15, 2 ** 16),
    'uniform_odd': lambda: Codebook.uniform(-.3, .1, 7),
    'powers': lambda: Codebook.powers(-126, 0),
}


@pytest.mark.parametrize('name', CODEBOOKS)
def test_there_and_back(name):
    codebook = CODEBOOKS[name]()
    content = codebook.tobytes()
    assert len(content) == codebook.nbytes
    table = codebook.rule == 'table'
    again = Codebook.frombytes(
        codebook.rule, content, codebook.values.shape[-1] if table else None,
        len(codebook.values) if codebook.values.ndim == 2 else None,
        codebook.run)
    assert again.values.dtype == numpy.float32
    numpy.testing.assert_array_equal(again.values, codebook.values)
    assert (again.rule, again.run) == (codebook.rule, codebook.run)


def test_sizes():
    assert CODEBOOKS['uniform']().nbytes == 20
    assert CODEBOOKS['powers']().nbytes == 4
    assert CODEBOOKS['rows']().nbytes == 48
    assert len(CODEBOOKS['rows']()) == 3
    assert len(CODEBOOKS['powers']()) == 255


def test_rules():
    assert Codebook.uniform(-1, .5, 4).values.tolist() == [-1, -.5, 0, .5]
    assert Codebook.powers(-1, 0).values.tolist() == [-1, -.5, 0, .5, 1]


def test_a_row_for_each_filter_and_for_each_run():
    codes = numpy.arange(12).reshape(4, 3) % 3
    assert CODEBOOKS['rows']()[codes].tolist() == [
        [0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
    # 12 codes in runs of 5, 5 and 2
    assert CODEBOOKS['runs']()[codes].tolist() == [
        [0, 1, 2], [0, 1, 5], [3, 4, 5], [3, 7, 8]]
    with pytest.raises(ValueError, match='rows'):
        CODEBOOKS['runs']()[codes.repeat(2)]


@pytest.mark.parametrize('rule,content,values,message', [
    ('table', b'\0' * 8, 3, 'bytes'), ('table', b'\0\0\xc0\x7f', 1, 'finite'),
    ('uniform', b'\0' * 19, None, 'bytes'), ('uniform', b'\0' * 20, None,
                                             'of 0 values'),
    ('uniform', b'\xff' * 20, None, 'of 4294967295'),
    ('powers', b'\0', None, 'bytes'), ('powers', b'\1\0\0\0', None, 'expon'),
    ('powers', b'\0\0\x80\0', None, 'finite'), ('cubes', b'', None, 'rule')])
def test_what_is_no_codebook(rule, content, values, message):
    with pytest.raises(ValueError, match=message):
        Codebook.frombytes(rule, content, values)


def test_only_float32_has_bytes():
    with pytest.raises(ValueError, match='float64'):
        Codebook.table(numpy.zeros(3)).tobytes()
