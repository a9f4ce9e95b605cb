"""The operations that a network is described by.

Each has a kind, the values that it takes, tensors by their role, and
attributes.  :data:`KINDS` says which, with their types and defaults, and the
shape that comes out; the predictor, the export and every other reader of a
description work from that list.  Shapes are those of one image: without the
axis of the batch, which every value has in front and no operation mixes.
So axes count from 1.
"""

import collections
import math

Kind = collections.namedtuple('Kind', 'n_inputs tensors attributes infer')
Kind.__doc__ = """What an operation of a kind has.

Attributes:
    n_inputs (int or None): How many values it takes; ``None``: any number.
    tensors (dict): From roles to whether they have to be there.
    attributes (dict): From names to a check of the value, and its default
        (:data:`REQUIRED` for none).
    infer (callable): ``f(shapes, attributes, shapes of tensors)``, the shape
        that comes out.
"""

REQUIRED = object()

Operation = collections.namedtuple('Operation', 'kind inputs tensors given')
Operation.__doc__ = """One step of a network.

Attributes:
    kind (str): Key of :data:`KINDS`.
    inputs (tuple of ints): The values that it takes: 0 is the network's
        input, i the output of the i-th operation.
    tensors (dict): From roles to names of tensors.
    given (dict): Attributes that are not at their defaults.
"""


def attributes_of(operation):
    """All attributes of an operation (dict)."""
    return {name: operation.given.get(name, default) for name, (
        _, default) in KINDS[operation.kind].attributes.items()}


def make(kind, inputs, tensors=None, **attributes):
    """An operation, without the attributes that are at their defaults."""
    known = KINDS[kind].attributes
    return Operation(
        kind, tuple(inputs), dict(tensors or {}), {
            name: value for name, value in attributes.items()
            if known[name][1] is REQUIRED or value != known[name][1]})


def check(operation):
    """Checks all but shapes.

    Raises:
        ValueError: Where something is unknown, missing or of another type.

    """
    if operation.kind not in KINDS:
        raise ValueError('unknown operation %.40r' % (operation.kind,))
    kind = KINDS[operation.kind]
    n = len(operation.inputs)
    _check(n == kind.n_inputs if kind.n_inputs else n > 0,
           '%s takes not %d values' % (operation.kind, n))
    for role in operation.tensors:
        _check(role in kind.tensors, '%s has no tensor %.40r' % (
            operation.kind, role))
    for role, needed in kind.tensors.items():
        _check(role in operation.tensors or not needed,
               '%s lacks %s' % (operation.kind, role))
    for name, value in operation.given.items():
        _check(name in kind.attributes, '%s has no attribute %.40r' % (
            operation.kind, name))
        _check(kind.attributes[name][0](value), '%s: %s is %.40r' % (
            operation.kind, name, value))
    for name, (_, default) in kind.attributes.items():
        _check(default is not REQUIRED or name in operation.given,
               '%s lacks %s' % (operation.kind, name))


def out_size(size, kernel, stride, pad, cover_all=False, dilate=1):
    """As :func:`chainer.utils.conv.get_conv_outsize`."""
    kernel += (kernel - 1) * (dilate - 1)
    if cover_all:
        return (size + 2 * pad - kernel + stride - 1) // stride + 1
    return (size + 2 * pad - kernel) // stride + 1


def _check(holds, why):
    if not holds:
        raise ValueError(why)


# Checks of attributes: of what JSON gives, so a bool is no int here.

def _is_int(low, high):
    return lambda v: type(v) is int and low <= v <= high


def _is_float(v):
    return type(v) in (int, float) and abs(v) <= 3e38


def _is_list(of, n=None):
    return lambda v: type(v) is list and len(v) <= 8 and (
        n is None or len(v) == n) and all(map(of, v))


def _is_bool(v):
    return type(v) is bool


_SIZE = 1 << 16
_pair = _is_list(_is_int(1, _SIZE), 2)
_pair_from_0 = _is_list(_is_int(0, _SIZE), 2)
_axes = _is_list(_is_int(1, 7))


# Shapes.

def _same(shapes, attributes, tensors):
    return shapes[0]


def _convolution(shapes, attributes, tensors):
    (c, *size), W, groups = shapes[0], tensors['W'], attributes['groups']
    _check(len(size) == 2 and len(W) == 4, 'a convolution of %s by %s' % (
        shapes[0], W))
    _check(c == W[1] * groups and W[0] % groups == 0 and min(W) > 0,
           'a convolution of %s by %s in %d groups' % (shapes[0], W, groups))
    _check(tensors.get('b') in (None, W[:1]), 'a bias of another shape')
    return W[:1] + _window_outputs(size, W[2:], attributes)


def _window_outputs(size, kernel, attributes):
    sizes = tuple(out_size(*args) for args in zip(
        size, kernel, attributes['stride'], attributes['pad'],
        [attributes.get('cover_all', False)] * 2,
        attributes.get('dilate', (1, 1))))
    _check(min(sizes) > 0, 'an image of %s is too small for a window of %s'
           % (tuple(size), tuple(kernel)))
    return sizes


def _pooling(shapes, attributes, tensors):
    c, *size = shapes[0]
    _check(len(size) == 2, 'pooling of the shape %s' % (shapes[0],))
    _check(all(p < k for p, k in zip(
        attributes['pad'], attributes['kernel'])), 'more padding than kernel')
    return (c,) + _window_outputs(size, attributes['kernel'], attributes)


def _linear(shapes, attributes, tensors):
    W = tensors['W']
    _check(len(W) == 2 and math.prod(shapes[0]) == W[1],
           'a linear layer of %s by %s' % (shapes[0], W))
    _check(tensors.get('b') in (None, W[:1]), 'a bias of another shape')
    return W[:1]


def _by_channel(rows):
    def infer(shapes, attributes, tensors):
        wanted = (rows,) * (rows > 0) + shapes[0][:1]
        _check(len(shapes[0]) > 0 and all(
            shape == wanted for shape in tensors.values()),
            'values for each channel of another shape than %s' % (wanted,))
        return shapes[0]
    return infer


def _alike(shapes, attributes, tensors):
    _check(len(set(shapes)) == 1, 'shapes %s' % (shapes,))
    return shapes[0]


def _concat(shapes, attributes, tensors):
    axis = attributes['axis'] - 1
    first = shapes[0]
    _check(axis < len(first) and all(
        s[:axis] + s[axis + 1:] == first[:axis] + first[axis + 1:]
        and len(s) == len(first) for s in shapes), 'shapes %s' % (shapes,))
    return first[:axis] + (sum(s[axis] for s in shapes),) + first[axis + 1:]


def _reduction(shapes, attributes, tensors):
    axes = [axis - 1 for axis in attributes['axes']]
    _check(axes and len(set(axes)) == len(axes)
           and max(axes) < len(shapes[0]), 'axes %s of the shape %s' % (
               attributes['axes'], shapes[0]))
    _check(min(shapes[0], default=1) > 0, 'nothing to reduce')
    return tuple(
        1 if i in axes else n for i, n in enumerate(shapes[0])
        if i not in axes or attributes['keepdims'])


def _reshape(shapes, attributes, tensors):
    shape = tuple(attributes['shape'])
    _check(math.prod(shape) == math.prod(shapes[0]),
           '%s as %s' % (shapes[0], shape))
    return shape


def _transpose(shapes, attributes, tensors):
    axes = [axis - 1 for axis in attributes['axes']]
    _check(sorted(axes) == list(range(len(shapes[0]))), 'axes %s' % (axes,))
    return tuple(shapes[0][axis] for axis in axes)


def _padding(shapes, attributes, tensors):
    widths = attributes['widths']
    _check(len(widths) == len(shapes[0]), 'widths %s' % (widths,))
    return tuple(n + sum(width) for n, width in zip(shapes[0], widths))


def _axis(shapes, attributes, tensors):
    _check(attributes['axis'] <= len(shapes[0]), 'axis %s of %s' % (
        attributes['axis'], shapes[0]))
    return shapes[0]


def _range(shapes, attributes, tensors):
    _check(attributes['low'] < attributes['high'], 'an empty range')
    return shapes[0]


def _exponents(shapes, attributes, tensors):
    lowest = attributes['lowest']
    _check(lowest is None or lowest <= attributes['highest'],
           'an empty range')
    return shapes[0]


def _word(shapes, attributes, tensors):
    _check(2 <= attributes['il'] + attributes['fl'] <= 24,
           'a word of %d bits' % (attributes['il'] + attributes['fl']))
    return shapes[0]


_WINDOW = {'stride': (_pair, [1, 1]), 'pad': (_pair_from_0, [0, 0])}
_POOLING = dict(_WINDOW, kernel=(_pair, REQUIRED),
                stride=(_pair, REQUIRED))
_REDUCTION = {'axes': (_axes, REQUIRED), 'keepdims': (_is_bool, False)}
_AXIS = {'axis': (_is_int(1, 7), 1)}

KINDS = {
    # y = W * x + b, W of shape (O, C / groups, kH, kW)
    'convolution': Kind(1, {'W': True, 'b': False}, dict(
        _WINDOW, dilate=(_pair, [1, 1]), groups=(_is_int(1, _SIZE), 1),
        cover_all=(_is_bool, False)), _convolution),
    # y = W x + b, W of shape (O, I); x is flattened
    'linear': Kind(1, {'W': True, 'b': False}, {}, _linear),
    # y = (x - mean) (gamma / sqrt(var + eps)) + beta
    'batch_normalization': Kind(
        1, {'gamma': False, 'beta': False, 'mean': True, 'var': True},
        {'eps': (_is_float, 2e-5)}, _by_channel(0)),
    # y = (x - mean) scale + shift, where rounding counts; rows in this order
    'normalization': Kind(1, {'factors': True}, {}, _by_channel(3)),
    # y = x scale + shift; rows in this order
    'scale_shift': Kind(1, {'factors': True}, {}, _by_channel(2)),
    'relu': Kind(1, {}, {}, _same),
    # y = slope x where x < 0
    'leaky_relu': Kind(1, {}, {'slope': (_is_float, 0.2)}, _same),
    'clip': Kind(1, {}, {'low': (_is_float, 0.), 'high': (_is_float, 1.)},
                 _range),
    'sigmoid': Kind(1, {}, {}, _same),
    'hard_sigmoid': Kind(1, {}, {}, _same),
    'tanh': Kind(1, {}, {}, _same),
    # +1 where x >= 0, else -1
    'sign': Kind(1, {}, {}, _same),
    # clip(round(x / step) step, low, high), halves to even
    'round_to_steps': Kind(1, {}, {
        'step': (lambda v: _is_float(v) and v > 1e-38, REQUIRED),
        'low': (_is_float, REQUIRED), 'high': (_is_float, REQUIRED)}, _range),
    # round(clip(x, 0, 1) n) / n
    'round_to_parts': Kind(1, {}, {'n': (_is_int(1, _SIZE), REQUIRED)},
                           _same),
    # multiples of 2^-fl within [-2^(il - 1), 2^(il - 1) - 2^-fl], halves down
    'round_to_fixed_point': Kind(1, {}, {
        'il': (_is_int(-24, 48), REQUIRED),
        'fl': (_is_int(-24, 48), REQUIRED)}, _word),
    # functions.log_quant
    'round_to_powers': Kind(1, {}, {
        'lowest': (lambda v: v is None or _is_int(-126, 127)(v), None),
        'highest': (_is_int(-126, 127), 0)}, _exponents),
    'add': Kind(2, {}, {}, _alike),
    'multiply': Kind(2, {}, {}, _alike),
    'add_constant': Kind(1, {}, {'value': (_is_float, REQUIRED)}, _same),
    'multiply_constant': Kind(
        1, {}, {'value': (_is_float, REQUIRED)}, _same),
    # of windows that may reach beyond the image with cover_all
    'max_pooling': Kind(1, {}, dict(
        _POOLING, cover_all=(_is_bool, True)), _pooling),
    # the padding counts as zeros
    'average_pooling': Kind(1, {}, _POOLING, _pooling),
    'mean': Kind(1, {}, _REDUCTION, _reduction),
    'sum': Kind(1, {}, _REDUCTION, _reduction),
    'max': Kind(1, {}, _REDUCTION, _reduction),
    'reshape': Kind(
        1, {}, {'shape': (_is_list(_is_int(0, 1 << 31)), REQUIRED)},
        _reshape),
    'transpose': Kind(1, {}, {'axes': (_axes, REQUIRED)}, _transpose),
    'pad': Kind(1, {}, {
        'widths': (_is_list(_pair_from_0), REQUIRED),
        'value': (_is_float, 0.)}, _padding),
    'concat': Kind(None, {}, _AXIS, _concat),
    'softmax': Kind(1, {}, _AXIS, _axis),
    'log_softmax': Kind(1, {}, _AXIS, _axis),
}
