"""The operations of a network as nodes of ONNX, opset 13.

Each form takes the graph, the names of its inputs, the attributes, the names
of its tensors by role, the weights, and the shapes of inputs and output (of
one image), and returns the name of its output.
"""

import numpy

_TINY = numpy.float32(2. ** -126)
# the least float between 1 and 2 that AP2 takes to 2
_UP = numpy.float32(1 + 0x3504f4 / 2. ** 23)
# the least float below 2^-126 that it takes to 2^-126, times 2^23
_SUBNORMAL = numpy.float32(0x3504f4 * 2. ** -149)


def _f(graph, value):
    return graph.array(numpy.asarray(value, numpy.float32))


def _i(graph, values):
    return graph.array(numpy.asarray(values, numpy.int64))


def _pads(attributes, kernel, shape, out):
    """Padding as ONNX has it, as far as the windows reach."""
    ends = []
    for n, p, k, s, d, o in zip(
            shape[1:], attributes['pad'], kernel, attributes['stride'],
            attributes.get('dilate', (1, 1)), out[1:]):
        ends.append(max((o - 1) * s + (k - 1) * d + 1 - n - p, 0))
    return [*attributes['pad'], *ends]


def _convolution(graph, x, attributes, roles, weights, shapes, out):
    kernel = weights.array(roles['W']).shape[2:]
    return graph.node(
        'Conv', x + [weights(roles[role]) for role in 'Wb' if role in roles],
        kernel_shape=kernel, strides=attributes['stride'],
        dilations=attributes['dilate'], group=attributes['groups'],
        pads=_pads(attributes, kernel, shapes[0], out))


def _linear(graph, x, attributes, roles, weights, shapes, out):
    if len(shapes[0]) > 1:
        x = [graph.node('Flatten', x, axis=1)]
    return graph.node('Gemm', x + [
        weights(roles[role]) for role in 'Wb' if role in roles], transB=1)


def _by_channel(graph, vector, shape):
    return graph.array(numpy.ascontiguousarray(
        vector.reshape((-1,) + (1,) * (len(shape) - 1))))


def _batch_normalization(graph, x, attributes, roles, weights, shapes, out):
    n = weights.array(roles['mean']).shape
    gamma = weights(roles['gamma']) if 'gamma' in roles else graph.array(
        numpy.ones(n, 'f'))
    beta = weights(roles['beta']) if 'beta' in roles else graph.array(
        numpy.zeros(n, 'f'))
    return graph.node('BatchNormalization', x + [
        gamma, beta, weights(roles['mean']), weights(roles['var'])],
        epsilon=attributes['eps'])


def _normalization(graph, x, attributes, roles, weights, shapes, out):
    mean, scale, shift = [
        _by_channel(graph, v, out) for v in weights.array(roles['factors'])]
    y = graph.node('Sub', x + [mean])
    return graph.node('Add', [graph.node('Mul', [y, scale]), shift])


def _scale_shift(graph, x, attributes, roles, weights, shapes, out):
    scale, shift = [
        _by_channel(graph, v, out) for v in weights.array(roles['factors'])]
    return graph.node('Add', [graph.node('Mul', x + [scale]), shift])


def _plain(op, **given):
    return lambda graph, x, attributes, roles, weights, shapes, out: (
        graph.node(op, x, **given))


def _leaky_relu(graph, x, attributes, roles, weights, shapes, out):
    return graph.node('LeakyRelu', x, alpha=float(attributes['slope']))


def _clip(graph, x, attributes, roles, weights, shapes, out):
    return graph.node('Clip', x + [
        _f(graph, attributes['low']), _f(graph, attributes['high'])])


def _sign(graph, x, attributes, roles, weights, shapes, out):
    return graph.node('Where', [
        graph.node('GreaterOrEqual', x + [_f(graph, 0)]), _f(graph, 1),
        _f(graph, -1)])


def _round_to_steps(graph, x, attributes, roles, weights, shapes, out):
    step = _f(graph, attributes['step'])
    y = graph.node('Round', [graph.node('Div', x + [step])])
    return _clip(graph, [graph.node('Mul', [y, step])], attributes, roles,
                 weights, shapes, out)


def _round_to_parts(graph, x, attributes, roles, weights, shapes, out):
    n = _f(graph, attributes['n'])
    y = graph.node('Clip', x + [_f(graph, 0), _f(graph, 1)])
    y = graph.node('Round', [graph.node('Mul', [y, n])])
    return graph.node('Div', [y, n])


def _round_to_fixed_point(graph, x, attributes, roles, weights, shapes, out):
    node = graph.node
    il, fl = attributes['il'], attributes['fl']
    half = 2. ** (il + fl - 1)
    x = node('Clip', [node('Mul', x + [_f(graph, 2. ** fl)]),
                      _f(graph, -half), _f(graph, half - 1)])
    y = node('Round', [x])
    is_half = node('Equal', [node('Sub', [y, x]), _f(graph, .5)])
    y = node('Where', [is_half, node('Sub', [y, _f(graph, 1)]), y])
    return node('Mul', [y, _f(graph, 2. ** -fl)])


def _round_to_powers(graph, x, attributes, roles, weights, shapes, out):
    # The logarithm is a guess, which may be one too low or too high; the
    # quotient by a power of two is exact and says so.
    node, onnx = graph.node, graph.onnx
    highest = attributes['highest']
    magnitude = node('Min', [node('Abs', x), _f(graph, 2. ** highest)])
    normal = node('Max', [magnitude, _f(graph, _TINY)])
    guess = node('Floor', [node('Mul', [
        node('Log', [normal]), _f(graph, 1 / numpy.log(2.))])])
    guess = node('Clip', [
        guess, _f(graph, -126), _f(graph, max(highest, -126))])
    index = node('Add', [node('Cast', [
        guess], to=onnx.TensorProto.INT32), graph.array(
            numpy.array(126, numpy.int32))])
    powers = [2. ** e for e in range(-126, max(highest, -126) + 1)]
    power = node('Gather', [graph.array(numpy.array(powers, 'f')), index])
    quotient = node('Div', [normal, power])
    factor = node('Where', [
        node('Less', [quotient, _f(graph, 1)]),
        node('Where', [
            node('GreaterOrEqual', [quotient, _f(graph, _UP / 2)]),
            _f(graph, 1), _f(graph, .5)]),
        node('Where', [
            node('GreaterOrEqual', [quotient, _f(graph, _UP)]),
            node('Where', [
                node('GreaterOrEqual', [quotient, _f(graph, 2 * _UP)]),
                _f(graph, 4), _f(graph, 2)]), _f(graph, 1)])])
    y = node('Mul', [power, factor])
    least = _SUBNORMAL
    if attributes['lowest'] is not None:
        # what is rounded to 2^lowest begins there
        least = max(least, numpy.float32(
            _UP * numpy.float32(2. ** (attributes['lowest'] - 1))))
    y = node('Where', [
        node('GreaterOrEqual', [magnitude, _f(graph, least)]), y,
        _f(graph, 0)])
    return node('Where', [
        node('Less', x + [_f(graph, 0)]), node('Neg', [y]), y])


def _with_constant(op):
    return lambda graph, x, attributes, roles, weights, shapes, out: (
        graph.node(op, x + [_f(graph, attributes['value'])]))


def _pooling(op, **given):
    value = -numpy.inf if op == 'MaxPool' else 0

    def form(graph, x, attributes, roles, weights, shapes, out):
        kernel = attributes['kernel']
        pads = _pads(attributes, kernel, shapes[0], out)
        if any(p >= k for p, k in zip(pads, kernel * 2)):
            # runtimes take no padding as wide as the window
            x = [graph.node('Pad', x + [
                _i(graph, [0, 0, *pads[:2], 0, 0, *pads[2:]]),
                _f(graph, value)])]
            pads = [0] * 4
        return graph.node(op, x, kernel_shape=kernel, pads=pads,
                          strides=attributes['stride'], **given)
    return form


def _reduction(op):
    def form(graph, x, attributes, roles, weights, shapes, out):
        keep = int(attributes['keepdims'])
        if op == 'ReduceSum':  # its axes are an input from opset 13 on
            return graph.node(
                op, x + [_i(graph, attributes['axes'])], keepdims=keep)
        return graph.node(op, x, axes=attributes['axes'], keepdims=keep)
    return form


def _reshape(graph, x, attributes, roles, weights, shapes, out):
    # 0: as before, the batch
    return graph.node('Reshape', x + [_i(graph, [0, *attributes['shape']])])


def _transpose(graph, x, attributes, roles, weights, shapes, out):
    return graph.node('Transpose', x, perm=[0, *attributes['axes']])


def _pad(graph, x, attributes, roles, weights, shapes, out):
    widths = attributes['widths']
    return graph.node('Pad', x + [
        _i(graph, [0, *[w[0] for w in widths], 0, *[w[1] for w in widths]]),
        _f(graph, attributes['value'])])


def _along_axis(op):
    return lambda graph, x, attributes, roles, weights, shapes, out: (
        graph.node(op, x, axis=attributes['axis']))


FORMS = {
    'convolution': _convolution, 'linear': _linear,
    'batch_normalization': _batch_normalization,
    'normalization': _normalization, 'scale_shift': _scale_shift,
    'relu': _plain('Relu'), 'leaky_relu': _leaky_relu, 'clip': _clip,
    'sigmoid': _plain('Sigmoid'), 'tanh': _plain('Tanh'),
    'hard_sigmoid': _plain('HardSigmoid', alpha=.2, beta=.5),
    'sign': _sign, 'round_to_steps': _round_to_steps,
    'round_to_parts': _round_to_parts,
    'round_to_fixed_point': _round_to_fixed_point,
    'round_to_powers': _round_to_powers, 'add': _plain('Add'),
    'multiply': _plain('Mul'), 'add_constant': _with_constant('Add'),
    'multiply_constant': _with_constant('Mul'),
    'max_pooling': _pooling('MaxPool'),
    'average_pooling': _pooling('AveragePool', count_include_pad=1),
    'mean': _reduction('ReduceMean'), 'sum': _reduction('ReduceSum'),
    'max': _reduction('ReduceMax'), 'reshape': _reshape,
    'transpose': _transpose, 'pad': _pad, 'concat': _along_axis('Concat'),
    'softmax': _along_axis('Softmax'),
    'log_softmax': _along_axis('LogSoftmax'),
}
