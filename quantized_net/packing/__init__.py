"""Codes to bytes and back, and the file of a network.

Nothing here needs Chainer.  Modules import each other relatively:
``runtime/`` installs this package and ``inference`` under a name of its own.
"""

from .codebook import Codebook
from .codes import coding_of
from .codes import n_bytes
from .codes import pack
from .codes import unpack

__all__ = ['Codebook', 'coding_of', 'n_bytes', 'pack', 'unpack']
