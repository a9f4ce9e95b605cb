"""From a network's operations to the steps that C runs.

What follows a layer is fused into it where it can be: a ReLU, the addition of
a shortcut, the scale and shift of the next BatchNormalization.
"""

import math

import numpy

from ..packing import folding
from ..packing import operations
from ..packing.tensors import PackedTensor
from . import packed_weights
from .step import Step
from .step import Unsupported
from .step import pairs
from .step import sizes as sizes_of


# What is computed element by element: its kind and numbers in C.
_MAPS = {
    'sign': lambda a: ('sign', []),
    'clip': lambda a: ('clip', [0, a['low'], a['high']]),
    'leaky_relu': lambda a: ('leaky_relu', [a['slope']]),
    'multiply_constant': lambda a: ('multiply', [a['value']]),
    'add_constant': lambda a: ('add', [a['value']]),
    'round_to_steps': lambda a: ('steps', [a['step'], a['low'], a['high']]),
    'round_to_powers': lambda a: ('powers', [
        2. ** a['highest'],
        0 if a['lowest'] is None else 2. ** a['lowest']]),
}

# Steps that a ReLU, an addition or factors may follow.
_OPEN = {'convolution', 'linear', 'lookup', 'sign_sums', 'pixel_sums',
         'max_pooling', 'average_pooling', 'finish', 'widen'}


class Planner(object):

    """Makes the steps of the first operations of a network.

    Args:
        network (~quantized_net.packing.network.Network): The network.
        n (int): How many operations.
        pixels (bool): Whether 8-bit pixels come in.

    Attributes:
        steps (list of ~quantized_net.inference.step.Step): In their order.
        sizes (dict): From a value to the floats that it takes in memory.
        result (int): The value that comes out.

    Raises:
        Unsupported: For an operation that no step stands for; its second
            argument is the operation's index.

    """

    def __init__(self, network, n, pixels=False):
        self._network = network
        self._uses = [len([i for i in users if i < n])
                      for users in network.consumers()[:n + 1]]
        self._uses[n] += 1
        self._maker: dict = {}
        self._same = list(range(n + 1))  # what a value is called here
        self.steps: list = []
        self.sizes: dict = {}
        self._pixels = pixels
        try:
            self._input()
        except Unsupported as e:
            raise Unsupported(e.args[0], 0)
        for i, step in enumerate(network.steps[:n], 1):
            before = len(self.steps)
            try:
                self._make(i, step, operations.attributes_of(step), [
                    self._same[value] for value in step.inputs])
            except Unsupported as e:
                raise Unsupported(e.args[0], i - 1)
            for made in self.steps[before:]:
                made.covers.append(i - 1)
            if len(self.steps) == before and self._same[i] == i:
                self._maker[i].covers.append(i - 1)
        self.result = self._same[n]

    def _make(self, i, step, attributes, values):
        if step.kind in _MAPS:
            kind, numbers = _MAPS[step.kind](attributes)
            self._map(kind, values[0], i, numbers=numbers)
        elif hasattr(self, '_make_' + step.kind):
            getattr(self, '_make_' + step.kind)(i, step, attributes, *values)
        else:
            raise Unsupported(step.kind)

    # --- values

    def _shape(self, value):
        return self._network.shapes[value]

    def _image(self, value):
        """The shape as channels, height, width."""
        shape = self._shape(value)
        if len(shape) == 1:
            return shape + (1, 1)
        if len(shape) != 3:
            raise Unsupported('a value of shape %s' % (shape,))
        return shape

    def _is_flat(self, value):
        """Whether channels-last and C order are the same."""
        c, h, w = self._image(value)
        return c == 1 or h * w == 1

    def _add(self, kind, source, y, arrays=None, numbers=(), **sizes):
        step = Step(kind, source, y, sizes, arrays, numbers)
        self.steps.append(step)
        self._maker[y] = step
        self.sizes[y] = math.prod(
            [sizes[name] for name in ('c_out', 'h_out', 'w_out')])
        return step

    def _map(self, kind, source, y, arrays=None, numbers=(), **sizes):
        """A step whose values lie as those that it takes."""
        image = self._image(source)
        return self._add(kind, source, y, arrays, numbers, **dict(
            sizes_of(image, image), **sizes))

    def _input(self):
        shape = self._image(0)
        sizes = sizes_of(shape, shape)
        if not self._pixels:
            self._add('floats', None, 0, **sizes)
            return
        pixels = self._network.pixels
        arrays = {}
        if 'mean' in pixels:
            arrays['mean'] = numpy.broadcast_to(
                self._network.tensors[pixels['mean']].values,
                self._shape(0))
        self._add('pixels', None, 0, arrays, [pixels['divisor']], **sizes)

    def _open(self, value):
        """The step whose y is a value that the next operation alone takes."""
        step = self._maker.get(value)
        if step is None or step.kind not in _OPEN or step.y != value or (
                step.z is not None) or self._uses[value] != 1:
            return None
        return step

    def _becomes(self, step, value):
        """A step's y is another value now."""
        step.y = value
        self._maker[value] = step
        self.sizes[value] = self.sizes[step.source] if (
            step.kind == 'finish') else math.prod(self._shape(value))

    # --- layers

    def _weights(self, step):
        """The tensor of the weights, and the bias or ``None``."""
        tensors = self._network.tensors
        b = step.tensors.get('b')
        return tensors[step.tensors['W']], (
            None if b is None else tensors[b].values)

    def _make_convolution(self, i, step, attributes, x):
        W, b = self._weights(step)
        exact = isinstance(W, PackedTensor) and folding.is_code(
            self._network, step.inputs[0])
        kernel = W.shape[2:]
        arrays = {'weights': W.values, 'bias': b}
        self._add('convolution', x, i, arrays, **dict(
            sizes_of(self._image(x), self._shape(i)),
            groups=attributes['groups'], exact=int(exact), **pairs(
                kernel=kernel, stride=attributes['stride'],
                pad=attributes['pad'], dilate=attributes['dilate'])))

    def _make_linear(self, i, step, attributes, x):
        W, b = self._weights(step)
        sizes = sizes_of((self._places(x), 1, 1), (W.shape[0], 1, 1))
        kind, arrays, numbers = 'linear', {'bias': b}, ()
        values = W.codebook.values if isinstance(W, PackedTensor) else None
        if values is not None and values.ndim == 1 and (
                2 <= len(values) <= 4):
            codes = self._columns(x, W.codes())
            if self._make_of_codes(i, x, codes, values, b, sizes):
                return
            if packed_weights.has_lookup() and len(codes) >= 16:
                kind, numbers = 'lookup', values
                arrays['packed'] = packed_weights.for_lookup(
                    codes, len(values))
        if kind == 'linear':
            arrays['weights'] = self._columns(x, W.values)
        self._add(kind, x, i, arrays, numbers, **sizes)

    def _make_of_codes(self, i, x, codes, values, b, sizes):
        """A layer of whole numbers; answers whether it is one."""
        if len(values) == 2 and values[0] == -values[1] and (
                self._maker[x].kind == 'sign') and values[1] > 0:
            arrays = {'packed': packed_weights.of_signs(codes == 0)}
            packed = ('signs', x)
            if packed not in self._maker:
                maker = self._maker[x]
                # whose signs: those of what it takes are the same
                self._add('pack_signs', maker.source, packed, **sizes_of(
                    self._image(x), self._image(x)))
                self.sizes[packed] = 2 * (-(-codes.shape[1] // 64) + 1)
                if self._uses[x] == 1:
                    self.steps.remove(maker)
                    self.steps[-1].covers += maker.covers
            self._add('sign_sums', packed, i, arrays, **sizes)
            self._scaled(i, values[1], b, sizes['c_out'])
            return True
        if not self._pixels or x != 0 or not packed_weights.has_pixels() or (
                len(self._shape(0)) != 1 and not self._is_flat(0)):
            return False
        whole = packed_weights.whole_numbers(values)
        if whole is None or codes.shape[1] > 1 << 16 or self._uses[0] != 1:
            return False
        numbers, scale = whole
        weights = numbers[codes]
        pixels = self._network.pixels
        shift = 0 if b is None else b.astype(float)
        if 'mean' in pixels:
            mean = numpy.broadcast_to(
                self._network.tensors[pixels['mean']].values, self._shape(0))
            shift = shift - weights.astype(float) @ mean.ravel().astype(
                float) * (scale / pixels['divisor'])
        del self.steps[0]
        self._add('bytes', None, 0, **sizes_of(
            self._image(0), self._image(0)))
        self.sizes[0] = -(-codes.shape[1] // 4)
        self._add('pixel_sums', 0, i, {
            'packed': packed_weights.for_pixels(weights)}, **sizes)
        self._scaled(i, scale / pixels['divisor'], shift, sizes['c_out'])
        return True

    def _scaled(self, i, scale, shift, channels):
        """Factors after the sums of a layer, where there are some."""
        shift = 0 if shift is None else shift
        if scale == 1 and not numpy.any(shift):
            return
        step = self.steps[-1]
        step.y, step.z = None, i
        step.arrays['scale'] = numpy.full(channels, scale, numpy.float32)
        step.arrays['shift'] = numpy.broadcast_to(shift, channels)

    def _places(self, value):
        return math.prod(self._shape(value))

    def _columns(self, value, matrix):
        """A matrix whose columns are in the order of a value's places."""
        if self._is_flat(value):
            return matrix
        return matrix.reshape((-1,) + self._shape(value)).transpose(
            0, 2, 3, 1).reshape(matrix.shape)

    # --- what changes shapes

    def _pooling(self, i, step, attributes, x):
        self._add(step.kind, x, i, **dict(
            sizes_of(self._image(x), self._image(i)), **pairs(
                kernel=attributes['kernel'], stride=attributes['stride'],
                pad=attributes['pad'])))

    _make_max_pooling = _make_average_pooling = _pooling

    def _make_mean(self, i, step, attributes, x):
        image = self._image(x)
        if sorted(attributes['axes']) != [2, 3]:
            raise Unsupported('a mean over other axes than images have')
        self._add('average_pooling', x, i, **dict(
            sizes_of(image, (image[0], 1, 1)), **pairs(kernel=image[1:])))

    def _make_reshape(self, i, step, attributes, x):
        users = [self._network.steps[user].kind
                 for user in self._network.consumers()[i]]
        flat = self._is_flat(x) and len(self._shape(i)) in (1, 3) and (
            self._is_flat(i))
        if not flat and (set(users) != {'linear'} or len(self._shape(x)) != 3):
            raise Unsupported('a reshape')
        self._same[i] = x
        self._uses[x] += self._uses[i] - 1

    def _make_pad(self, i, step, attributes, x):
        widths = attributes['widths']
        if len(widths) != 3 or attributes['value']:
            raise Unsupported('padding')
        self._add('widen', x, i, **dict(
            sizes_of(self._image(x), self._image(i)), groups=widths[0][0],
            h_pad=widths[1][0], w_pad=widths[2][0]))

    # --- element by element

    def _make_relu(self, i, step, attributes, x):
        maker = self._maker.get(x)
        if maker is not None and maker.z == x and self._uses[x] == 1 and (
                not maker.relu_z):
            maker.z, maker.relu_z = i, True
            self._maker[i] = maker
            self.sizes[i] = self.sizes.get(x, math.prod(self._shape(x)))
            return
        maker = self._open(x)
        if maker is not None:
            maker.relu = True
            self._becomes(maker, i)
            return
        self._map('finish', x, i).relu = True

    def _make_add(self, i, step, attributes, a, b):
        order = {id(made): k for k, made in enumerate(self.steps)}
        for one, other in ((a, b), (b, a)):
            maker = self._open(one)
            if maker is not None and not maker.relu and (
                    maker.residual is None) and order[
                        id(self._maker[other])] < order[id(maker)]:
                maker.residual = other
                self._becomes(maker, i)
                return
        self._map('finish', a, i).residual = b

    def _make_scale_shift(self, i, step, attributes, x):
        scale, shift = self._network.tensors[step.tensors['factors']].values
        maker = self._maker.get(x)
        if maker is None or maker.kind not in _OPEN or maker.y != x or (
                maker.z is not None):
            maker = self._map('finish', x, i)
            maker.y = None
        elif self._uses[x] == 1:
            maker.y = None
        maker.z = i
        maker.arrays.update(scale=scale, shift=shift)
        self._maker[i] = maker
        self.sizes[i] = math.prod(self._shape(i))

    def _make_normalization(self, i, step, attributes, x):
        mean, scale, shift = self._network.tensors[
            step.tensors['factors']].values
        self._map('normalization', x, i, {
            'mean': mean, 'scale': scale, 'shift': shift})

    def _make_multiply(self, i, step, attributes, a, b):
        self._map('multiply', a, i).residual = b
