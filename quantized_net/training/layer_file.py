"""Files that say, layer by layer, which method a network gets."""

import argparse
import json
import os
import tomllib

from quantized_net import experiments

_LIMIT = 1 << 20  # bytes


def read(path):
    """An option's value: the patterns of a file with their methods.

    The file is a toml: a table ``layers`` with a table for each pattern of
    layers' paths, which has a ``method`` and options of it::

        [layers."conv*"]
        method = "inq"
        bits = 4

    or the ``args.json`` of a run that had one.  A path that is not there is
    looked for in the project's folder, too.

    Returns:
        list: Pairs of a pattern and a dict, in the order of the file, as
        JSON has them.

    """
    there = path if os.path.exists(path) else os.path.join(
        experiments.RESULTS.parent, path)
    try:
        with open(there, 'rb') as f:
            content = f.read(_LIMIT + 1)
        if len(content) > _LIMIT:
            raise ValueError('more than 1 MB')
        text = content.decode()
        if path.endswith('.json'):
            said = json.loads(text)
            pairs = said['layers'] if isinstance(said, dict) else None
        else:
            said = tomllib.loads(text)
            layers = said.pop('layers')
            if said:
                raise ValueError('what is %s?' % ', '.join(said))
            pairs = [[name, table] for name, table in layers.items()]
        _check(pairs)
    except KeyError as e:
        raise argparse.ArgumentTypeError('%s: no %s in it' % (path, e))
    except OSError as e:
        raise argparse.ArgumentTypeError(
            '%s: %s' % (path, e.strerror or 'it can not be read'))
    except (AttributeError, TypeError, ValueError, RecursionError) as e:
        raise argparse.ArgumentTypeError('%s: %s' % (path, e))
    return pairs


def _check(pairs):
    if not isinstance(pairs, list) or not pairs:
        raise ValueError('it has no layers')
    for pair in pairs:
        if not (isinstance(pair, list) and len(pair) == 2
                and isinstance(pair[0], str) and isinstance(pair[1], dict)):
            raise ValueError('layers are pairs of a pattern and a table')
        if not isinstance(pair[1].get('method'), str):
            raise ValueError('layer %s has no method' % pair[0])


def to_argv(table):
    """The options of a table, as a command line has them (a list of str)."""
    words = []
    for name, value in table.items():
        if name == 'method' or value is False:
            continue
        words.append('--' + name)
        if value is not True:
            words += map(str, value if isinstance(value, list) else [value])
    return words
