"""The header of a safetensors file, bounded and checked before it is used.

The library accepts a name that is there twice, takes long for a million
tensors, and is no judge of what a network needs.  So the header is read here
first: its size and the number of tensors are limited, every name is there
once, and the tensors fill the file without a gap or an overlap.
"""

import json
import math

MOST_BYTES = 1 << 22  # of the header
MOST_TENSORS = 10000

_SIZES = {'U8': 1, 'F32': 4}


class Header(object):

    """A header.

    Attributes:
        metadata (dict): From strings to strings.
        shapes (dict): From names to dtype and shape.

    """

    def __init__(self, metadata, shapes):
        self.metadata = metadata
        self.shapes = shapes


def parse(content):
    """Reads and checks the header of a file's content (bytes).

    Raises:
        ValueError: Where it is none.

    """
    _check(len(content) >= 8, 'it has %d bytes' % len(content))
    n = int.from_bytes(content[:8], 'little')
    _check(n <= MOST_BYTES, 'a header of %d bytes' % n)
    _check(8 + n <= len(content), 'it ends within the header')
    parsed = parse_json(content[8:8 + n])
    _check(isinstance(parsed, dict), 'a header of another kind')
    _check(len(parsed) <= MOST_TENSORS + 1, '%d tensors' % len(parsed))
    metadata = parsed.pop('__metadata__', {})
    _check(isinstance(metadata, dict) and all(
        isinstance(value, str) for value in metadata.values()), 'metadata')
    shapes = {}
    places = []
    for name, entry in parsed.items():
        _check(isinstance(entry, dict) and set(entry) == {
            'dtype', 'shape', 'data_offsets'}, 'the entry %.40r' % name)
        dtype, shape = entry['dtype'], entry['shape']
        _check(isinstance(dtype, str) and dtype in _SIZES, '%.40r is %.20r'
               % (name, dtype))
        _check(_are_ints(shape) and len(shape) <= 8, 'the shape of %.40r'
               % name)
        offsets = entry['data_offsets']
        _check(_are_ints(offsets) and len(offsets) == 2 and (
            offsets[1] - offsets[0] == _SIZES[dtype] * math.prod(shape)),
            'the place of %.40r' % name)
        shapes[name] = dtype, tuple(shape)
        places.append(offsets)
    end = 0
    for start, stop in sorted(places):
        _check(start == end, 'a gap or an overlap between tensors')
        end = stop
    _check(8 + n + end == len(content), '%d bytes of tensors, %d are there'
           % (end, len(content) - 8 - n))
    return Header(metadata, shapes)


def parse_json(content):
    """JSON in UTF-8, without duplicate keys, NaN or infinity.

    Raises:
        ValueError, RecursionError: Where it is none.

    """
    return json.loads(content.decode('utf-8'), object_pairs_hook=_once,
                      parse_constant=_no_constant)


def _once(pairs):
    found = dict(pairs)
    _check(len(found) == len(pairs), 'a key is there twice')
    return found


def _no_constant(name):
    raise ValueError('the number %s' % name)


def _are_ints(values):
    return isinstance(values, list) and all(
        type(v) is int and 0 <= v <= 1 << 40 for v in values)


def _check(holds, why):
    if not holds:
        raise ValueError(why)
