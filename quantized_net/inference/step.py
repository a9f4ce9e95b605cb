"""What the compiled predictor does between two values."""


class Unsupported(Exception):

    """An operation that no step stands for; NumPy's form serves."""


class Step(object):

    """Something that C does, and what follows it.

    Attributes:
        kind (str): Of ``enum kind`` in network.c, in lower case.
        source (int or str): The value that it takes.
        y, z (int, str or None): The values that it gives: of the layer with
            ``residual`` and ``relu``, and of ``scale`` and ``shift`` with
            ``relu_z``.
        sizes (dict): Of ``struct sizes``.
        arrays (dict): Weights and factors.
        numbers (tuple of floats): What else the kind needs.
        covers (list of ints): The operations that it stands for.

    """

    def __init__(self, kind, source, y, sizes, arrays=None, numbers=()):
        self.kind = kind
        self.source, self.y = source, y
        self.residual = self.z = None
        self.relu = self.relu_z = False
        self.sizes = sizes
        self.arrays = arrays or {}
        self.numbers = tuple(numbers)
        self.covers: list = []

    @property
    def reads(self):
        return [v for v in (self.source, self.residual) if v is not None]

    @property
    def writes(self):
        return [v for v in (self.y, self.z) if v is not None]


def pairs(**pairs):
    """Sizes by their axes, as ``kernel=(3, 5)``."""
    return {axis + '_' + name: value for name, pair in pairs.items()
            for axis, value in zip('hw', pair)}


def sizes(before, after):
    """``struct sizes`` of two images (C, H, W), and nothing between them."""
    return dict(
        zip(('c_in', 'h_in', 'w_in', 'c_out', 'h_out', 'w_out'),
            tuple(before) + tuple(after)), n=1, groups=1, exact=0,
        **pairs(kernel=(1, 1), stride=(1, 1), pad=(0, 0), dilate=(1, 1)))
