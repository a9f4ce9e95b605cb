"""Files out of a packed archive, of which no more is read than expected."""

import gzip
import tarfile

_OTHERS = 1 << 24  # bytes of what else may be in an archive: a page, names


def read(path, limits):
    """Reads files of a .tar.gz archive, in one pass.

    Nothing is written to the disk and no link is followed.

    Args:
        path (str): Of the archive.
        limits (dict): From the names of the files to the bytes that each may
            have at most.

    Returns:
        dict: From the names to the contents (bytes).

    Raises:
        ValueError: Where a file is missing, larger, or no plain one.
        Exception: Whatever gzip and tarfile raise where it is damaged.

    """
    contents = {}
    with gzip.open(path) as packed, tarfile.open(
            mode='r|', fileobj=_Bounded(  # type: ignore[call-overload]
                packed, sum(limits.values()) + _OTHERS)) as archive:
        for member in archive:
            if member.name not in limits:
                continue
            if not member.isreg() or member.size > limits[member.name]:
                raise ValueError(
                    'its %s is no plain file of the right size'
                    % member.name)
            contents[member.name] = archive.extractfile(member).read()
    missing = [name for name in limits if name not in contents]
    if missing:
        raise ValueError('it lacks %s' % ', '.join(missing))
    return contents


class _Bounded(object):

    """A stream of which a limited number of bytes is read in all."""

    def __init__(self, stream, limit):
        self._stream = stream
        self._left = limit

    def read(self, size):
        content = self._stream.read(size)
        self._left -= len(content)
        if self._left < 0:
            raise ValueError('there is more in it than there should be')
        return content
