"""The random states in the snapshot."""

import zlib

import numpy

from chainer.backends import cuda
from chainer.training import extension


class RandomState(extension.Extension):

    """Saves and restores NumPy's and CuPy's global random states.

    Without them a resumed run shuffles and draws otherwise than one that was
    never stopped (chainer#3754).

    CuPy's generator has no state that can be read.  So it is seeded anew,
    from NumPy's state, whenever a snapshot is taken and whenever one is
    loaded: the run that goes on and the run that resumes draw the same.

    """

    name = 'RandomState'

    def __call__(self, trainer):
        pass

    def serialize(self, serializer):
        kind, keys, pos, has_gauss, cached = numpy.random.get_state(
            legacy=True)
        keys = serializer('keys', numpy.array(keys))
        pos = serializer('pos', pos)
        has_gauss = serializer('has_gauss', has_gauss)
        cached = serializer('cached_gaussian', cached)
        check(pos, has_gauss)
        numpy.random.set_state(
            (kind, keys, int(pos), int(has_gauss), float(cached)))
        if cuda.available:
            cuda.cupy.random.seed(zlib.crc32(keys.tobytes()) ^ int(pos))


def check(pos, has_gauss):
    """Raises ValueError where NumPy's generator would read beyond its keys.

    Args:
        pos (int): How many of the 624 keys are used up.
        has_gauss (int): 1 where a second normal value is kept, else 0.

    """
    if not (0 <= pos <= 624 and has_gauss in (0, 1)):
        raise ValueError('its random state is out of range')
