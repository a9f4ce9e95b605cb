#!/usr/bin/env python3
"""Damages packed files at random: fuzz_packed.py [N [SEED]].

Each of N files is damaged as bytes, as the text of its header, or as what it
says, with right hashes then, and loaded.  It has to end in an error of one
line that names the file, or in a network that gives what the whole file
gives; one whose hashes are right may be another network, and has to run.
All that in a child that may take 512 MiB more memory than it starts with,
and ten seconds for a file.  Anything else is a fault, and the exit status 1.
"""

import base64
import collections
import copy
import hashlib
import json
import os
import random
import resource
import signal
import sys
import tempfile
import traceback
import warnings

import quantized_net
import chainer
import numpy

from quantized_net import quantizers
from quantized_net.packing import file as packed_file

from fuzz_files import damage

MEMORY = 1 << 29  # bytes
SECONDS = 10
AT_ONCE = 1000  # files to a child
MOST_PRODUCTS = 1 << 24  # of a network that is run

VALUES = [
    0, -1, 1, 2, 3, 7, 1 << 15, 1 << 16, 1 << 31, 1 << 32, 1 << 63, 1 << 64,
    10 ** 30, -.5, .5, 1e-300, 1e308, 2.0, None, True, False, '', 'x', 'W',
    'conv1/W', 'conv2/W', 'base3', 'bits1', 'bits16', 'table', 'uniform',
    'powers', '\x1b[2J', '\ud800', [], [0], [1, 1], [2, 3], [-1, -1],
    [1 << 30] * 8, [[0, 1]] * 3, [0] * 100, {}, {'op': 'relu'},
    {'op': 'softmax', 'axis': 3}, {'a': {'b': []}}, 'A' * 1000]


class Net(chainer.Chain):

    """A small network with every kind of weight."""

    def __init__(self):
        super().__init__()
        n = quantized_net
        rows = quantizers.TWN(.75, per_filter=True)
        with self.init_scope():
            self.conv1 = n.links.Convolution2D(2, 4, 3, pad=1)
            self.bn1 = n.links.BatchNormalization(4)
            self.conv2 = n.QuantizedConvolution2D(
                4, 6, 3, 2, weight_quantizer=quantizers.TTQ())
            self.conv3 = n.QuantizedConvolution2D(
                6, 6, 1, weight_quantizer=rows)
            self.fc1 = n.QuantizedLinear(
                72, 7, weight_quantizer=quantizers.Sign(),
                input_quantizer=quantizers.Sign())
            self.bn2 = n.links.BatchNormalization(7)
            self.fc2 = n.QuantizedLinear(
                7, 5, weight_quantizer=quantizers.LinearQuant(5),
                input_quantizer=quantizers.LogQuant(4))
            self.fc3 = n.QuantizedLinear(
                5, 3, weight_quantizer=quantizers.LogQuant())

    def forward(self, x):
        F = chainer.functions
        h = F.relu(self.bn1(self.conv1(x)))
        h = self.conv2(h)
        h = F.max_pooling_2d(self.conv3(h, residual=h), 2, 1, 1)
        h = F.pad(h, ((0, 0), (0, 0), (0, 1), (0, 0)), 'constant')
        h = F.average_pooling_2d(F.concat((h, h * .5)), 2, 2)
        h = self.bn2(self.fc1(h))
        return F.softmax(self.fc3(F.clip(self.fc2(h), -1., 1.)))


def split(content):
    n = int.from_bytes(content[:8], 'little')
    return json.loads(content[8:8 + n]), content[8 + n:]


def join(text, data):
    return len(text).to_bytes(8, 'little') + text + data


def sha256(content):
    return base64.b64encode(
        hashlib.sha256(content).digest()).decode().rstrip('=')


def damage_header(content, draw):
    """Damages the text of the header alone."""
    n = int.from_bytes(content[:8], 'little')
    return join(damage(content[8:8 + n], draw), content[8 + n:])


def places(value, path=()):
    """Every place of a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else (
        enumerate(value) if isinstance(value, list) else ())
    for key, item in items:
        yield from places(item, path + (key,))


def change_value(value, draw):
    """Changes one place of a JSON value; returns the value."""
    path = draw.choice(list(places(value))[1:])
    inner = value
    for key in path[:-1]:
        inner = inner[key]
    how = draw.choice(['set', 'set', 'near', 'gone', 'more', 'another'])
    old = inner[path[-1]]
    if how == 'near' and type(old) in (int, float):
        inner[path[-1]] = old + draw.choice([-1, 1, 2, -old, old, .5])
    elif how == 'gone':
        del inner[path[-1]]
    elif how == 'more' and isinstance(old, list):
        old.extend(old * draw.choice([1, 1, 1, 30000 // max(len(old), 1)]))
    elif how == 'another':
        other = at(value, draw.choice(list(places(value))))
        if len(json.dumps(other)) < 1000:
            inner[path[-1]] = copy.deepcopy(other)
    else:
        inner[path[-1]] = copy.deepcopy(draw.choice(VALUES))
    return value


def at(value, path):
    for key in path:
        value = value[key]
    return value


def change_with_hashes(content, draw):
    """Changes what the file says, or its bytes, and makes all hashes right."""
    head, data = split(content)
    data = bytearray(data)
    described = json.loads(head['__metadata__']['network'])
    names = [name for name in head if name != '__metadata__']
    for _ in range(draw.choice([0, 1, 1, 1, 2, 4])):
        change_value(described, draw)
    if draw.random() < .3:
        start, stop = head[draw.choice(names)]['data_offsets']
        for _ in range(draw.choice([1, 1, 2, 8])):
            data[draw.randrange(start, stop)] = draw.choice(
                [0, 255, 243, 127, 128, draw.randrange(256)])
    if draw.random() < .1:
        change_value(head, draw)
    tensors = described.get('tensors')
    for name in names:
        if not isinstance(tensors, dict) or name not in tensors:
            continue
        entry = head.get(name)
        offsets = entry.get('data_offsets') if isinstance(
            entry, dict) else None
        if not isinstance(offsets, list) or not all(
                type(v) is int and 0 <= v < 1 << 40 for v in offsets):
            continue
        found = sha256(bytes(data[slice(*(offsets + [0, 0])[:2])]))
        if isinstance(tensors[name], dict):
            tensors[name]['sha256'] = found
        elif isinstance(tensors[name], str):
            tensors[name] = found
    text = json.dumps(described)
    metadata = head.get('__metadata__')
    if isinstance(metadata, dict):
        metadata.update(network=text, sha256=sha256(text.encode()))
    return join(json.dumps(head).encode(), bytes(data))


def one(content, path, x, expected, seed):
    """Damages, loads and runs; returns what came of it."""
    draw = random.Random(seed)
    how = draw.choice([damage, damage_header, change_with_hashes,
                       change_with_hashes])
    damaged = how(content, draw)
    with open(path, 'wb') as f:
        f.write(damaged)
    try:
        found = quantized_net.load_packed(path)
    except quantized_net.UserError as e:
        assert path in str(e) and str(e).isprintable(), repr(str(e))
        return 'refused'
    if how is not change_with_hashes:
        assert numpy.array_equal(found(x), expected), 'it says something else'
        return 'same'
    if found.network.n_products < MOST_PRODUCTS and sum(
            numpy.prod(shape, dtype=float)
            for shape in found.network.shapes) < MOST_PRODUCTS:
        with warnings.catch_warnings(), numpy.errstate(all='ignore'):
            warnings.simplefilter('ignore')
            found(numpy.zeros((2,) + found.input_shape, 'f'))
    return 'another'


def too_long(*args):
    raise TimeoutError('more than %d seconds' % SECONDS)


def in_child(seeds, content, folder, x, expected):
    """Runs files in a child; returns counts and the seeds of faults."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(read)
            with open('/proc/self/statm') as f:
                limit = MEMORY + resource.getpagesize() * int(
                    f.read().split()[0])
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            signal.signal(signal.SIGALRM, too_long)
            path = os.path.join(folder, 'damaged.safetensors')
            for seed in seeds:
                signal.alarm(SECONDS)
                try:
                    found = one(content, path, x, expected, seed)
                except BaseException:
                    print('fault: seed %d' % seed, file=sys.stderr)
                    traceback.print_exc()
                    found = 'fault'
                signal.alarm(0)
                os.write(write, ('%s %d\n' % (found, seed)).encode())
        finally:
            os._exit(0)
    os.close(write)
    with open(read) as pipe:
        lines = [line.split() for line in pipe]
    os.waitpid(child, 0)
    counts = collections.Counter(word for word, _ in lines)
    if len(lines) < len(seeds):
        print('fault: seed %d ended the process' % seeds[len(lines)],
              file=sys.stderr)
        counts['fault'] += 1
        rest = in_child(seeds[len(lines) + 1:], content, folder, x, expected)
        counts.update(rest)
    return counts


def main(n=2000, seed=0):
    numpy.random.seed(0)
    total = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'whole.safetensors')
        quantized_net.save_packed(
            path, Net(), (2, 9, 7), pixels={'divisor': 255.},
            about={'what': 'a network to damage'})
        with open(path, 'rb') as f:
            content = f.read()
        x = numpy.random.rand(3, 2, 9, 7).astype('f')
        expected = quantized_net.load_packed(path)(x)
        for start in range(seed, seed + n, AT_ONCE):
            total += in_child(
                range(start, min(start + AT_ONCE, seed + n)), content,
                folder, x, expected)
            if sys.stderr.isatty():
                print('\r%d' % sum(total.values()), end='', file=sys.stderr)
    print('packed files: %d refused, %d as the whole one, %d others with '
          'right hashes, %d faults' % tuple(total[word] for word in (
              'refused', 'same', 'another', 'fault')))
    return total['fault']


assert packed_file.VERSION == 1  # what the changes above know

if __name__ == '__main__':
    sys.exit(main(*map(int, sys.argv[1:])) > 0)
