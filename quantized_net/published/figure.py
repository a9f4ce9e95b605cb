"""A published number and where it stands."""

import collections


class Figure(collections.namedtuple('Figure', 'value source verified')):

    """A published number.

    Attributes:
        value (float): As printed.
        source (str): Where it stands.
        verified (bool): Whether it was read there; ``False`` is from memory.

    """

    __slots__ = ()

    def __new__(cls, value, source, verified=True):
        return super(Figure, cls).__new__(cls, value, source, verified)
