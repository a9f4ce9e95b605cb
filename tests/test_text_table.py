"""Columns of text."""

from quantized_net import text_table


def test_columns():
    assert text_table.lay_out(
        [('name', 'kind', 'n'), ('a', 'b', '100'), ('long one', '', '7')],
        n_left=2) == [
        'name      kind    n',
        'a         b     100',
        'long one          7']


def test_no_blanks_at_the_end():
    assert text_table.lay_out([('a', ''), ('b', '')], 2) == ['a', 'b']
