"""A network in a file, and out of it: nothing in the file is run.

The file is a safetensors file.  Each tensor of the network is one of the
file's: a float32 array, or, of packed codes, the bytes of the codebook and
then of the codes.  Its metadata have ``format`` (``'quantized_net'``),
``version``, ``network``, a JSON text, and ``sha256``, the hash of that text.
The text has

``input``
    the shape of an image;
``pixels``
    how 8-bit pixels become inputs, if it is known
    (:class:`~quantized_net.packing.network.Network`);
``operations``
    a list of dicts: ``op``, the kind; ``in``, the values that it takes,
    unless that is the output of the one before alone; tensors by their role,
    and attributes that are not at their default
    (:mod:`~quantized_net.packing.operations`);
``tensors``
    from each name to the SHA-256 of its bytes, of packed codes in a dict
    with ``coding``, ``shape`` and the codebook's ``rule``, or ``values``,
    ``rows`` and ``run`` of its table;
``about``
    texts of whoever made the file.

So every byte but the format and the version is hashed.
"""

import base64
import hashlib
import json
import math
import os
import re

import numpy

from .. import files
from ..errors import UserError
from . import codes
from . import codebook as codebooks
from . import header as headers
from . import operations
from .network import Network
from .tensors import FloatTensor
from .tensors import PackedTensor

FORMAT = 'quantized_net'
VERSION = 1

LIMIT = 1 << 30  # bytes of a file
MOST_WEIGHTS = 1 << 29  # of all tensors, unpacked

_NAME = re.compile(r'[\w.\[\]/-]{1,200}', re.ASCII)


class Content(object):

    """What a file holds.

    Attributes:
        network (~quantized_net.packing.network.Network): The network.
        about (dict): Texts of whoever made the file.
        nbytes (int): Of the file.

    """

    def __init__(self, network, about, nbytes):
        self.network = network
        self.about = about
        self.nbytes = nbytes


def write(path, network, about=None):
    """Writes a network into a file, which is whole or not there.

    Args:
        path (str): Of the file.
        network (~quantized_net.packing.network.Network): The network.
        about (dict or None): From strings to strings: what else a reader
            may want to know.

    Returns:
        int: Bytes of the file.

    """
    arrays = {name: tensor.bytes_of_file()
              for name, tensor in network.tensors.items()}
    for name in arrays:
        if not _NAME.fullmatch(name):
            raise UserError('a tensor can not be called %r' % name)
    described: dict = {
        'input': list(network.input_shape),
        'operations': [_described(step, i)
                       for i, step in enumerate(network.steps)],
        'tensors': {}}
    for name, array in arrays.items():
        tensor = network.tensors[name]
        described['tensors'][name] = _sha256(array) if isinstance(
            tensor, FloatTensor) else dict(
                tensor.describe(), sha256=_sha256(array))
    if network.pixels is not None:
        described['pixels'] = network.pixels
    if about:
        described['about'] = {
            str(name): str(text) for name, text in about.items()}
    text = json.dumps(described, separators=(',', ':'), allow_nan=False)
    content = _library().save(arrays, {
        'format': FORMAT, 'version': str(VERSION), 'network': text,
        'sha256': _sha256(text.encode())})
    read_content(path, content)  # what can't be read is not written
    try:
        with files.replacing(path) as temporary:
            with open(temporary, 'wb') as f:
                f.write(content)
    except OSError as e:
        raise UserError('%s can not be written (%s)' % (path, e.strerror))
    return len(content)


def read(path, limit=LIMIT):
    """Reads a file of :func:`write`.

    Args:
        path (str): Of the file.
        limit (int): The most bytes that it may have.

    Returns:
        Content: What is in it.

    Raises:
        ~quantized_net.UserError: Where it can't be read, is damaged, of
            another or a newer format, or asks for too much; it names the
            file.

    """
    try:
        with open(path, 'rb') as f:
            size = os.fstat(f.fileno()).st_size
            if size > limit:
                raise UserError('%s has %d bytes; at most %d are read' % (
                    path, size, limit))
            content = f.read(size)
    except OSError as e:
        raise UserError('%s can not be read (%s)' % (path, e.strerror))
    return read_content(path, content)


def read_content(path, content):
    """What is in a file, from its bytes; ``path`` is for messages."""
    try:
        return _parse(content)
    except UserError as e:
        raise UserError('%s: %s' % (path, e))
    except (ValueError, TypeError, KeyError, RecursionError,
            OverflowError) as e:
        raise UserError('%s is damaged or no packed network (%s)' % (
            path, _line(e)))


def _line(error):
    text = str(error) if not isinstance(error, KeyError) else (
        '%s is missing' % error)
    text = ''.join(c if c.isprintable() else '?' for c in text)
    return text[:200] or type(error).__name__


def _parse(content):
    header = headers.parse(content)
    metadata = header.metadata
    if metadata.get('format') != FORMAT:
        raise UserError('it is a safetensors file, but no packed network of '
                        'quantized_net')
    version = metadata.get('version', '')
    if version != str(VERSION):
        if re.fullmatch('[0-9]{1,9}', version) and int(version) > VERSION:
            raise UserError('it is of the newer format %s; update '
                            'quantized_net to read it' % version)
        raise ValueError('version %.20r' % version)
    text = metadata['network'].encode()
    _check(metadata.get('sha256') == _sha256(text),
           'the description has another SHA-256')
    described = headers.parse_json(text)
    _check(isinstance(described, dict) and set(described) <= {
        'input', 'operations', 'tensors', 'pixels', 'about'},
        'the description has other parts')
    arrays = {}
    for item in _library_deserialize(content):
        name, tensor = item
        arrays[name] = numpy.frombuffer(tensor['data'], numpy.uint8)
    tensors = _tensors(described['tensors'], header.shapes, arrays)
    _check(_is_shape(described['input']), 'input: %.40r' % (
        described['input'],))
    _check(isinstance(described['operations'], list), 'operations')
    steps = [_step(value, i)
             for i, value in enumerate(described['operations'])]
    about = described.get('about', {})
    _check(isinstance(about, dict) and all(
        isinstance(value, str) for value in about.values()), 'about')
    pixels = described.get('pixels')
    _check(pixels is None or isinstance(pixels, dict) and isinstance(
        pixels.get('mean', ''), str), 'pixels: %.40r' % (pixels,))
    return Content(Network(described['input'], steps, tensors, pixels),
                   about, len(content))


def _tensors(described, shapes, arrays):
    _check(isinstance(described, dict) and set(described) == set(arrays),
           'other tensors than the description has')
    n_weights = 0
    for name, value in described.items():
        _check(_NAME.fullmatch(name), 'the name %.40r' % name)
        if not isinstance(value, str):
            _check_packed(name, value)
        n_weights += math.prod(
            shapes[name][1] if isinstance(value, str) else value['shape'])
        _check(n_weights <= MOST_WEIGHTS, 'more than %d weights' %
               MOST_WEIGHTS)
    tensors = {}
    for name, value in described.items():
        dtype, shape = shapes[name]
        content = arrays[name]
        is_float = isinstance(value, str)
        _check((value if is_float else value['sha256']) == _sha256(content),
               '%s has another SHA-256' % name)
        if is_float:
            _check(dtype == 'F32', '%s is %s' % (name, dtype))
            values = content.view('<f4').astype(numpy.float32, copy=False)
            _check(numpy.isfinite(values).all(), '%s is not finite' % name)
            tensors[name] = FloatTensor(values.reshape(shape))
            continue
        _check(dtype == 'U8' and len(shape) == 1, '%s is %s of shape %s' % (
            name, dtype, shape))
        try:
            tensors[name] = PackedTensor.of_file(content, value)
        except ValueError as e:
            raise ValueError('%s: %s' % (name, e))
    return tensors


_OPTIONAL = {
    'rule': lambda v: v in codebooks.RULES[1:],
    'values': lambda v: _is_int(v, 1, 1 << 16),
    'rows': lambda v: _is_int(v, 1, 1 << 31),
    'run': lambda v: _is_int(v, 1, 1 << 31)}


def _check_packed(name, value):
    _check(isinstance(value, dict) and isinstance(
        value.get('coding'), str) and value['coding'] in codes.CODINGS
        and _is_shape(value.get('shape')) and isinstance(
            value.get('sha256'), str), '%s: %.80r' % (name, value))
    for key in set(value) - {'coding', 'shape', 'sha256'}:
        _check(key in _OPTIONAL and _OPTIONAL[key](value[key]),
               '%s: %s %.40r' % (name, key, value[key]))
    _check('rule' in value or 'values' in value, '%s: no codebook' % name)
    _check('rule' not in value or not set(value) & {'values', 'rows', 'run'},
           '%s: two codebooks' % name)


def _described(step, i):
    described = {'op': step.kind}
    if step.inputs != (i,):
        described['in'] = list(step.inputs)
    return dict(described, **step.tensors, **step.given)


def _step(value, i):
    _check(isinstance(value, dict), 'operation %d' % (i + 1))
    value = dict(value)
    kind = value.pop('op', None)
    _check(isinstance(kind, str) and kind in operations.KINDS,
           'unknown operation %.40r; a newer quantized_net may know it' % (
               kind,))
    inputs = value.pop('in', [i])
    _check(isinstance(inputs, list) and len(inputs) <= 1000 and all(
        _is_int(v, 0, i) for v in inputs), 'operation %d: in' % (i + 1))
    tensors = {role: value.pop(role)
               for role in operations.KINDS[kind].tensors if role in value}
    _check(all(isinstance(name, str) for name in tensors.values()),
           'operation %d: tensors' % (i + 1))
    return operations.Operation(kind, tuple(inputs), tensors, value)


def _is_int(v, low, high):
    return type(v) is int and low <= v <= high


def _is_shape(v):
    return isinstance(v, list) and 0 < len(v) <= 8 and all(
        _is_int(n, 0, 1 << 31) for n in v)


def _sha256(content):
    return base64.b64encode(
        hashlib.sha256(content).digest()).decode().rstrip('=')


def _library():
    try:
        import safetensors.numpy
    except ImportError:
        raise UserError('a packed file needs safetensors: '
                        'pip install safetensors')
    return safetensors.numpy


def _library_deserialize(content):
    _library()
    import safetensors
    try:
        return safetensors.deserialize(content)
    except Exception as e:  # its own class, and others for odd types
        raise ValueError(str(e))


def _check(holds, why):
    if not holds:
        raise ValueError(why)
