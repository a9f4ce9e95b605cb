"""Files that are whole or not there."""

import contextlib
import json
import os


@contextlib.contextmanager
def replacing(path):
    """Gives a temporary path beside ``path``, which then takes its place.

    Where the block raises, what stood at ``path`` is still there, whole.
    """
    temporary = '%s.tmp%d' % (path, os.getpid())
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def write_text(path, text):
    """Writes a text file at once."""
    with replacing(path) as temporary:
        with open(temporary, 'w') as f:
            f.write(text)


def write_json(path, value):
    """Writes a JSON file at once."""
    write_text(path, json.dumps(value, indent=4, sort_keys=True) + '\n')
