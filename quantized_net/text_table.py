"""Columns of text."""


def lay_out(rows, n_left=1):
    """Lays rows of cells out in columns.

    Args:
        rows (list of sequences of str): As many cells in each.
        n_left (int): How many columns, from the first, are flush left; the
            others are flush right.

    Returns:
        list of str: A line for each row.

    """
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ['  '.join(
        cell.ljust(width) if i < n_left else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(row, widths))).rstrip()
        for row in rows]
