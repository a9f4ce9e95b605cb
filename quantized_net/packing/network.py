"""A network as a list of operations and the tensors that they use."""

import math

from . import operations
from .tensors import PackedTensor

# What a description may ask for, whoever wrote it.
MOST_OPERATIONS = 10000
MOST_VALUES = 1 << 24  # of an image, at any place of the network
MOST_LIVE = 1 << 26  # of an image, that are needed at the same time
MOST_PRODUCTS = 1 << 38  # multiplications for an image
_MOST_AXES = 7


class Network(object):

    """What a file holds: everything that a prediction needs.

    Args:
        input_shape (tuple of ints): Of one image.
        steps (list of ~quantized_net.packing.operations.Operation): In the
            order of their computation; the output of the last one is the
            network's.
        tensors (dict): From names to :class:`FloatTensor` and
            :class:`PackedTensor`.
        pixels (dict or None): How 8-bit pixels become inputs,
            ``(pixel - mean) * float32(1 / divisor)``: ``'divisor'``, and
            ``'mean'``, the name of a tensor of the input's shape, or
            (C, 1, 1), if any.

    Attributes:
        shapes (list of tuples): Of the values, the input first.
        last_uses (list of lists): At i the values that no operation takes
            after the i-th, counted from 1.

    Raises:
        ValueError: Where the parts do not fit together.

    """

    def __init__(self, input_shape, steps, tensors, pixels=None):
        self.input_shape = tuple(input_shape)
        self.steps = list(steps)
        self.tensors = dict(tensors)
        self.pixels = pixels
        self.shapes = [self.input_shape]
        _check(len(self.steps) <= MOST_OPERATIONS, '%d operations' % len(
            self.steps))
        _check(self.steps != [], 'no operations')
        self._check_shape(self.input_shape, 0)
        used = set()
        products = 0
        self.last_uses = self._last_uses()
        for i, step in enumerate(self.steps, 1):
            try:
                operations.check(step)
                shape, n = self._infer(step, i)
            except ValueError as e:
                raise ValueError('operation %d: %s' % (i, e))
            self._check_shape(shape, i)
            self.shapes.append(shape)
            products += n
            _check(products <= MOST_PRODUCTS, '2^%d multiplications' % (
                math.log2(products + 1)))
            used |= set(step.tensors.values())
        if pixels is not None:
            used |= self._check_pixels(pixels)
        self._check_live()
        surplus = sorted(set(self.tensors) - used)
        _check(not surplus, 'tensors that nothing uses: %.80s' % (
            ', '.join(surplus)))

    @property
    def output_shape(self):
        return self.shapes[-1]

    @property
    def nbytes(self):
        """Bytes of all tensors in a file."""
        return sum(tensor.nbytes for tensor in self.tensors.values())

    @property
    def n_products(self):
        """Multiplications of convolutions and linear layers for an image."""
        return sum(self._infer(step, i)[1]
                   for i, step in enumerate(self.steps, 1))

    def consumers(self):
        """For each value the indexes of the operations that take it."""
        found = [[] for _ in self.shapes]  # type: list[list[int]]
        for i, step in enumerate(self.steps):
            for value in step.inputs:
                found[value].append(i)
        return found

    def _last_uses(self):
        last = {}  # type: dict[int, int]
        for i, step in enumerate(self.steps, 1):
            last[i] = i
            last.update((value, i) for value in step.inputs)
        last.pop(len(self.steps))
        found = [
            [] for _ in range(len(self.steps) + 1)]  # type: list[list[int]]
        for value, i in last.items():
            found[i].append(value)
        return found

    def _infer(self, step, i):
        _check(all(0 <= value < i for value in step.inputs),
               'it takes values %s' % (step.inputs,))
        shapes = [self.shapes[value] for value in step.inputs]
        of_tensors = {}
        for role, name in step.tensors.items():
            _check(name in self.tensors, 'there is no tensor %.40r' % (name,))
            of_tensors[role] = self.tensors[name].shape
            _check(role == 'W' or not isinstance(
                self.tensors[name], PackedTensor), '%s is packed' % role)
        shape = operations.KINDS[step.kind].infer(
            shapes, operations.attributes_of(step), of_tensors)
        if 'W' not in of_tensors:
            return shape, 0
        return shape, math.prod(of_tensors['W'][1:]) * math.prod(shape)

    def _check_live(self):
        live = 0
        for i, shape in enumerate(self.shapes):
            live += math.prod(shape)
            _check(live <= MOST_LIVE, 'too many values at the same time')
            live -= sum(math.prod(self.shapes[value])
                        for value in self.last_uses[i])

    @staticmethod
    def _check_shape(shape, i):
        _check(0 < len(shape) <= _MOST_AXES and min(shape) > 0 and math.prod(
            shape) <= MOST_VALUES, 'the shape %s of value %d' % (shape, i))

    def _check_pixels(self, pixels):
        _check(set(pixels) <= {'divisor', 'mean'} and type(
            pixels.get('divisor')) in (int, float) and 1e-3 <= pixels[
                'divisor'] <= 1e6, 'pixels: %.80r' % (pixels,))
        mean = pixels.get('mean')
        if mean is None:
            return set()
        _check(mean in self.tensors and not isinstance(
            self.tensors[mean], PackedTensor) and self.tensors[
                mean].shape in (
                    self.input_shape, self.input_shape[:1] + (1,) * (
                        len(self.input_shape) - 1)),
            'pixels: no mean of that shape')
        return {mean}


def _check(holds, why):
    if not holds:
        raise ValueError(why)
