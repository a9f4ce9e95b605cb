"""Small networks that C and NumPy have to agree on before C serves."""

import numpy

from ..packing import codebook
from ..packing import operations
from ..packing.network import Network
from ..packing.tensors import FloatTensor
from ..packing.tensors import PackedTensor
from . import reference


def networks():
    """A network with images between its layers, and one of signs.

    Returns:
        list: Of a :class:`~quantized_net.packing.network.Network` and whether
        it takes 8-bit pixels.

    """
    rng = numpy.random.RandomState(0)
    make = operations.make
    images = Network((3, 9, 7), [
        make('convolution', [0], {'W': 'W1'}, pad=[1, 1]),
        make('scale_shift', [1], {'factors': 'f1'}),
        make('relu', [2]),
        make('convolution', [3], {'W': 'W2', 'b': 'b2'}, pad=[1, 1]),
        make('add', [4, 1]),
        make('scale_shift', [5], {'factors': 'f1'}),
        make('relu', [6]),
        make('max_pooling', [7], kernel=[2, 2], stride=[2, 2]),
        make('linear', [8], {'W': 'W3', 'b': 'b3'}),
    ], {
        'W1': _floats(rng, 16, 3, 3, 3), 'f1': _floats(rng, 2, 16),
        'W2': _codes(rng, (16, 16, 3, 3), [-.5, 0, .7]),
        'b2': _floats(rng, 16),
        'W3': _codes(rng, (20, 16 * 5 * 4), [-.5, 0, .7]),
        'b3': _floats(rng, 20)})
    signs = Network((70,), [
        make('linear', [0], {'W': 'W1'}),
        make('normalization', [1], {'factors': 'f1'}),
        make('sign', [2]),
        make('linear', [3], {'W': 'W2'}),
        make('normalization', [4], {'factors': 'f2'}),
    ], {
        'W1': _codes(rng, (90, 70), [-1, 1]), 'f1': _floats(rng, 3, 90),
        'W2': _codes(rng, (9, 90), [-1, 1]), 'f2': _floats(rng, 3, 9)},
        {'divisor': 1.})
    return [(images, False), (signs, False), (signs, True)]


def is_close(network, pixels, run):
    """Whether a form of a network gives what NumPy gives.

    Args:
        network, pixels: As from :func:`networks`.
        run (callable): The form, from images to the output.

    """
    rng = numpy.random.RandomState(1)
    x = rng.randint(0, 256, (3,) + network.input_shape).astype(numpy.uint8)
    if not pixels:
        x = x.astype(numpy.float32) / 128 - 1
    values = [x.astype(numpy.float32)]
    for step in network.steps:
        values.append(reference.run(
            step.kind, [values[v] for v in step.inputs],
            operations.attributes_of(step),
            {role: network.tensors[name].values
             for role, name in step.tensors.items()}))
    return numpy.allclose(
        run(x), values[-1], 1e-4, 1e-4 * abs(values[-1]).max())


def _floats(rng, *shape):
    return FloatTensor(rng.normal(size=shape).astype(numpy.float32))


def _codes(rng, shape, values):
    return PackedTensor.of_codes(
        rng.randint(0, len(values), shape).astype(numpy.uint8),
        codebook.Codebook.table(numpy.array(values, numpy.float32)))
