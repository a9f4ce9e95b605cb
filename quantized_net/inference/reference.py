"""The operations of a network in NumPy: the reference of every faster form.

Each function takes the values (float32, with the axis of the batch in
front), the operation's attributes and its tensors, by their roles, and
returns a new float32 array or a view.  Nothing changes its inputs.
"""

import numpy

from ..packing import operations

_ROWS = 1 << 22  # floats of the unfolded windows at a time


def run(kind, values, attributes, tensors):
    """The output of an operation of a kind."""
    return _FORMS[kind](values, attributes, tensors)


def _by_channel(x, vector):
    return vector.reshape((-1,) + (1,) * (x.ndim - 2))


def _framed(x, pad, out, kernel, stride, dilate, value):
    """x with a frame, as far as the windows reach, and no further."""
    widths = [(0, 0), (0, 0)]
    for n, p, o, k, s, d in zip(
            x.shape[2:], pad, out, kernel, stride, dilate):
        reach = (o - 1) * s + (k - 1) * d + 1
        widths.append((p, max(reach - n - p, 0)))
    if any(map(any, widths)):
        x = numpy.pad(x, widths, constant_values=value)
    return x


def _windows(x, kernel, stride, dilate, out):
    """A view of shape (N, C, oH, oW, kH, kW)."""
    n, c, h, w = x.strides
    return numpy.lib.stride_tricks.as_strided(
        x, x.shape[:2] + tuple(out) + tuple(kernel),
        (n, c, h * stride[0], w * stride[1], h * dilate[0], w * dilate[1]),
        writeable=False)


def _out(x, kernel, attributes):
    return [operations.out_size(n, k, s, p, attributes.get(
        'cover_all', False), d) for n, k, s, p, d in zip(
            x.shape[2:], kernel, attributes['stride'], attributes['pad'],
            attributes.get('dilate', (1, 1)))]


def _convolution(values, attributes, tensors):
    x, W = values[0], tensors['W']
    kernel, groups = W.shape[2:], attributes['groups']
    stride, dilate = attributes['stride'], attributes['dilate']
    out = _out(x, kernel, attributes)
    x = _framed(x, attributes['pad'], out, kernel, stride, dilate, 0)
    n, per_group = len(x), len(W) // groups
    W = W.reshape(groups, per_group, -1).transpose(0, 2, 1)
    y = numpy.empty((n, *out, len(W), per_group), numpy.float32)
    chunk = max(_ROWS // (W.shape[1] * len(W) * out[0] * out[1]), 1)
    for i in range(0, n, chunk):
        windows = _windows(x[i:i + chunk], kernel, stride, dilate, out)
        windows = windows.transpose(0, 2, 3, 1, 4, 5).reshape(
            len(windows) * out[0] * out[1], len(W), -1)
        for g in range(len(W)):
            y[i:i + chunk, :, :, g] = (windows[:, g] @ W[g]).reshape(
                -1, *out, per_group)
    y = y.reshape(n, *out, -1)
    if 'b' in tensors:
        y += tensors['b']
    return y.transpose(0, 3, 1, 2)


def _linear(values, attributes, tensors):
    x = values[0]
    y = x.reshape(len(x), -1) @ tensors['W'].T
    if 'b' in tensors:
        y += tensors['b']
    return y


def _batch_normalization(values, attributes, tensors):
    x, mean, var = values[0], tensors['mean'], tensors['var']
    scale = tensors.get('gamma', numpy.float32(1)) / numpy.sqrt(
        var + numpy.float32(attributes['eps']))
    y = x - _by_channel(x, mean)
    y *= _by_channel(x, scale)
    if 'beta' in tensors:
        y += _by_channel(x, tensors['beta'])
    return y


def _normalization(values, attributes, tensors):
    x = values[0]
    mean, scale, shift = tensors['factors']
    y = x - _by_channel(x, mean)
    y *= _by_channel(x, scale)
    y += _by_channel(x, shift)
    return y


def _scale_shift(values, attributes, tensors):
    x = values[0]
    scale, shift = tensors['factors']
    y = x * _by_channel(x, scale)
    y += _by_channel(x, shift)
    return y


def _relu(values, attributes, tensors):
    return numpy.maximum(values[0], 0)


def _leaky_relu(values, attributes, tensors):
    x = values[0]
    return numpy.where(x <= 0, x * numpy.float32(attributes['slope']), x)


def _clip(values, attributes, tensors):
    return numpy.clip(values[0], numpy.float32(attributes['low']),
                      numpy.float32(attributes['high']))


def _sigmoid(values, attributes, tensors):
    half = numpy.float32(.5)
    return numpy.tanh(values[0] * half) * half + half


def _hard_sigmoid(values, attributes, tensors):
    return numpy.clip(
        values[0] * numpy.float32(.2) + numpy.float32(.5),
        numpy.float32(0), numpy.float32(1))


def _tanh(values, attributes, tensors):
    return numpy.tanh(values[0])


def _sign(values, attributes, tensors):
    x = values[0]
    y = (x >= 0).astype(numpy.float32)
    y *= 2
    y -= 1
    return _keep_nan(x, y)


def _keep_nan(x, y):
    is_nan = numpy.isnan(x)
    if is_nan.any():
        numpy.copyto(y, x, where=is_nan)
    return y


def _round_to_steps(values, attributes, tensors):
    step, low, high = [numpy.float32(attributes[name])
                       for name in ('step', 'low', 'high')]
    y = numpy.rint(values[0] / step)
    y *= step
    return numpy.clip(y, low, high, out=y)


def _round_to_parts(values, attributes, tensors):
    n = attributes['n']
    y = numpy.clip(values[0], numpy.float32(0), numpy.float32(1))
    y *= numpy.float32(n)
    numpy.rint(y, out=y)
    y /= numpy.float32(n)
    return y


def _round_to_fixed_point(values, attributes, tensors):
    il, fl = attributes['il'], attributes['fl']
    half = numpy.float32(2. ** (il + fl - 1))
    x = numpy.clip(
        values[0] * numpy.float32(2. ** fl), -half, half - 1)
    y = numpy.rint(x)
    y -= y - x == numpy.float32(.5)  # a half goes down, not to the even one
    y *= numpy.float32(2. ** -fl)
    return y


def _round_to_powers(values, attributes, tensors):
    x = values[0]
    largest = numpy.float32(2. ** attributes['highest'])
    y = numpy.array(numpy.clip(x, -largest, largest), order='C')
    bits = y.view(numpy.uint32)
    # a mantissa above the square root of two carries into the exponent
    bits += numpy.uint32((1 << 23) - 0x3504f4)
    bits &= numpy.uint32(0xff800000)
    y = _keep_nan(x, y)
    if attributes['lowest'] is not None:
        y *= ~(abs(y) < numpy.float32(2. ** attributes['lowest']))
    return y


def _add(values, attributes, tensors):
    return values[0] + values[1]


def _multiply(values, attributes, tensors):
    return values[0] * values[1]


def _add_constant(values, attributes, tensors):
    return values[0] + numpy.float32(attributes['value'])


def _multiply_constant(values, attributes, tensors):
    return values[0] * numpy.float32(attributes['value'])


def _pooled(values, attributes, value, reduce):
    x, kernel = values[0], attributes['kernel']
    out = _out(x, kernel, attributes)
    stride = attributes['stride']
    x = _framed(x, attributes['pad'], out, kernel, stride, (1, 1), value)
    windows = _windows(x, kernel, stride, (1, 1), out)
    # a window's places one by one: faster than to reduce two short axes
    y = None
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            part = windows[..., i, j]
            y = part.copy() if y is None else reduce(y, part, out=y)
    return y


def _max_pooling(values, attributes, tensors):
    return _pooled(values, attributes, -numpy.inf, numpy.maximum)


def _average_pooling(values, attributes, tensors):
    y = _pooled(values, attributes, 0, numpy.add)
    kernel = attributes['kernel']
    y *= numpy.float32(1 / (kernel[0] * kernel[1]))
    return y


def _reduced(reduce):
    return lambda values, attributes, tensors: reduce(
        values[0], axis=tuple(attributes['axes']),
        keepdims=attributes['keepdims'])


def _reshape(values, attributes, tensors):
    return values[0].reshape(len(values[0]), *attributes['shape'])


def _transpose(values, attributes, tensors):
    return values[0].transpose(0, *attributes['axes'])


def _pad(values, attributes, tensors):
    return numpy.pad(values[0], [(0, 0), *attributes['widths']],
                     constant_values=numpy.float32(attributes['value']))


def _concat(values, attributes, tensors):
    return numpy.concatenate(values, attributes['axis'])


def _log_softmax(values, attributes, tensors):
    x, axis = values[0], attributes['axis']
    y = x - x.max(axis=axis, keepdims=True)
    y -= numpy.log(numpy.exp(y).sum(axis=axis, keepdims=True))
    return y


def _softmax(values, attributes, tensors):
    x, axis = values[0], attributes['axis']
    y = numpy.exp(x - x.max(axis=axis, keepdims=True))
    y /= y.sum(axis=axis, keepdims=True)
    return y


_FORMS = {
    'convolution': _convolution, 'linear': _linear,
    'batch_normalization': _batch_normalization,
    'normalization': _normalization, 'scale_shift': _scale_shift,
    'relu': _relu, 'leaky_relu': _leaky_relu, 'clip': _clip,
    'sigmoid': _sigmoid, 'hard_sigmoid': _hard_sigmoid, 'tanh': _tanh,
    'sign': _sign, 'round_to_steps': _round_to_steps,
    'round_to_parts': _round_to_parts,
    'round_to_fixed_point': _round_to_fixed_point,
    'round_to_powers': _round_to_powers, 'add': _add, 'multiply': _multiply,
    'add_constant': _add_constant, 'multiply_constant': _multiply_constant,
    'max_pooling': _max_pooling, 'average_pooling': _average_pooling,
    'mean': _reduced(numpy.mean), 'sum': _reduced(numpy.sum),
    'max': _reduced(numpy.max), 'reshape': _reshape,
    'transpose': _transpose, 'pad': _pad, 'concat': _concat,
    'softmax': _softmax, 'log_softmax': _log_softmax,
}
