"""Which function of Chainer's, or of ours, becomes which operation."""

from collections.abc import Callable

from chainer.functions.activation import clipped_relu
from chainer.functions.activation import hard_sigmoid
from chainer.functions.activation import leaky_relu
from chainer.functions.activation import log_softmax
from chainer.functions.activation import relu
from chainer.functions.activation import sigmoid
from chainer.functions.activation import softmax
from chainer.functions.activation import tanh
from chainer.functions.array import cast
from chainer.functions.array import concat
from chainer.functions.array import expand_dims
from chainer.functions.array import pad
from chainer.functions.array import reshape
from chainer.functions.array import squeeze
from chainer.functions.array import transpose
from chainer.functions.connection import convolution_2d
from chainer.functions.connection import linear
from chainer.functions.math import average
from chainer.functions.math import basic_math
from chainer.functions.math import clip
from chainer.functions.math import identity
from chainer.functions.math import minmax
from chainer.functions.math import sum as sum_module
from chainer.functions.normalization import batch_normalization
from chainer.functions.pooling import average_pooling_2d
from chainer.functions.pooling import average_pooling_nd
from chainer.functions.pooling import max_pooling_nd
import numpy

from quantized_net import errors
# the functions have the names of these modules
from quantized_net.functions.convolution_2d import _AddTo
from quantized_net.functions.dorefa import _Activation
from quantized_net.functions.fixed_point import _FixedPoint
from quantized_net.functions.learned_step import _LearnedStep
from quantized_net.functions.linear_quant import _LinearQuant
from quantized_net.functions.log_quant import _LogQuant
from quantized_net.functions.with_gradient import _WithGradient
from quantized_net.functions.sign import _Sign

_RULES = {}  # type: dict


def rule(*classes):
    """Registers ``f(tracer, call)``, which adds operations."""
    def register(f):
        for cls in classes:
            _RULES[cls] = f
        return f
    return register


class Call(object):

    """A function at work.

    Attributes:
        node (~chainer.FunctionNode): The function.
        operands (list): For each input the number of a value, or a
            :class:`~quantized_net.tracing.trace.Constant`.
        shapes (list of tuples): Of the inputs, with the axis of the batch.
        out (~chainer.variable.VariableNode): The first output.

    """

    def __init__(self, node, operands, in_data, out):
        self.node = node
        self.operands = operands
        self.shapes = [array.shape for array in in_data]
        self.out = out

    @property
    def x(self):
        """The first input, a value."""
        return self.values(0)[0]

    def values(self, *indexes):
        """Inputs that have to be values, all if none are named."""
        found = [self.operands[i] for i in indexes] or self.operands
        if not all(isinstance(v, int) for v in found):
            self.refuse('with a constant')
        return found

    def constants(self, start):
        """The inputs from there on, which have to be constants."""
        found = self.operands[start:]
        if any(isinstance(v, int) for v in found):
            self.refuse('with a weight that depends on the images')
        return found

    def axis(self, axis):
        """An axis from 1 up: no operation mixes the images of a batch."""
        axis = axis + len(self.shapes[0]) if axis < 0 else axis
        if axis == 0:
            self.refuse('over the batch')
        return int(axis)

    def refuse(self, what=''):
        raise errors.UserError(
            'the function %s%s can not be packed' % (
                _name_of(self.node), ' ' + what if what else ''))


def _name_of(node):
    function = getattr(node, 'function', node)
    cls = type(function)
    return '%s (%s.%s)' % (
        getattr(node, 'label', cls.__name__), cls.__module__, cls.__name__)


def apply(tracer, node, operands, in_data, outputs):
    """Adds the operations of a function.

    Returns:
        list of ints: The values of its outputs.

    """
    call = Call(node, operands, in_data, outputs[0])
    found: Callable | None = None
    for cls in type(node).__mro__:
        if cls in _RULES:
            found = _RULES[cls]
            break
    # a class of somebody else's may do more than what it inherits from
    if found is None or type(node) not in _RULES and not (
            type(node).__module__.startswith('quantized_net.functions.')):
        call.refuse()
    assert found is not None
    for v in outputs:
        if v is not None and v.dtype != numpy.float32:
            call.refuse('with %s' % v.dtype)
    return [found(tracer, call)]


def _ints(*values):
    return [int(v) for v in values]


@rule(convolution_2d.Convolution2DFunction)
def _convolution(tracer, call):
    node = call.node
    tensors = dict(zip('Wb', map(tracer.tensor, call.constants(1))))
    return tracer.add(
        'convolution', [call.x], tensors, stride=_ints(node.sy, node.sx),
        pad=_ints(node.ph, node.pw), dilate=_ints(node.dy, node.dx),
        groups=int(node.groups), cover_all=bool(node.cover_all))


@rule(linear.LinearFunction)
def _linear(tracer, call):
    if call.shapes[0][0] != tracer.n:
        call.refuse('over more than one axis of a batch')
    return tracer.add('linear', [call.x], dict(zip(
        'Wb', map(tracer.tensor, call.constants(1)))))


@rule(batch_normalization.FixedBatchNormalization)
def _batch_normalization(tracer, call):
    node = call.node
    if tuple(node.key_axis) != (1,):
        call.refuse('with axis=%s' % (node.axis,))
    constants = dict(zip(('gamma', 'beta', 'mean', 'var'),
                         call.constants(1)))
    for name, neutral in (('gamma', 1), ('beta', 0)):
        if constants[name].name is None and (
                constants[name].array == neutral).all():
            del constants[name]
    return tracer.add(
        'batch_normalization', [call.x], {
            name: tracer.tensor(v) for name, v in constants.items()},
        eps=float(node.eps))


@rule(batch_normalization.BatchNormalization)
def _in_training(tracer, call):
    call.refuse('by the statistics of the batch')


@rule(relu.ReLU)
def _relu(tracer, call):
    return tracer.add('relu', [call.x])


@rule(leaky_relu.LeakyReLU)
def _leaky_relu(tracer, call):
    return tracer.add('leaky_relu', [call.x], slope=float(call.node.slope))


@rule(clipped_relu.ClippedReLU)
def _clipped_relu(tracer, call):
    return tracer.add('clip', [call.x], low=0., high=float(call.node.cap))


@rule(clip.Clip)
def _clip(tracer, call):
    low, high = call.node.x_min, call.node.x_max
    if low is None or high is None:
        call.refuse('with one bound')
    return tracer.add('clip', [call.x], low=float(low), high=float(high))


@rule(sigmoid.Sigmoid)
def _sigmoid(tracer, call):
    return tracer.add('sigmoid', [call.x])


@rule(hard_sigmoid.HardSigmoid)
def _hard_sigmoid(tracer, call):
    return tracer.add('hard_sigmoid', [call.x])


@rule(tanh.Tanh)
def _tanh(tracer, call):
    return tracer.add('tanh', [call.x])


@rule(softmax.Softmax)
def _softmax(tracer, call):
    return tracer.add('softmax', [call.x], axis=call.axis(call.node.axis))


@rule(log_softmax.LogSoftmax)
def _log_softmax(tracer, call):
    return tracer.add('log_softmax', [call.x], axis=call.axis(call.node.axis))


@rule(_Sign)
def _sign(tracer, call):
    return tracer.add('sign', [call.x])


@rule(_LinearQuant)
def _steps(tracer, call):
    node = call.node
    return tracer.add('round_to_steps', [call.x], step=float(node.step),
                      low=float(node.low), high=float(node.high))


@rule(_LearnedStep)
def _learned_step(tracer, call):
    step = call.constants(1)[0].array
    return tracer.add('round_to_steps', [call.x], step=float(step), **{
        name: float(numpy.float32(getattr(call.node, name)) * step)
        for name in ('low', 'high')})


@rule(_Activation)
def _parts(tracer, call):
    return tracer.add('round_to_parts', [call.x], n=int(call.node.n))


@rule(_FixedPoint)
def _fixed_point(tracer, call):
    il, fl, key, unit = call.node.args
    if key is not None or unit != 1:
        call.refuse('at random, or of another unit')
    return tracer.add('round_to_fixed_point', [call.x], il=int(il),
                      fl=int(fl))


@rule(_LogQuant)
def _powers(tracer, call):
    node = call.node
    return tracer.add('round_to_powers', [call.x], lowest=node.min_exponent,
                      highest=node.max_exponent)


@rule(basic_math.Add, basic_math.MultiAdd, _AddTo)
def _add(tracer, call):
    if len(call.operands) == 2 and not all(
            isinstance(v, int) for v in call.operands):
        value, vector = _by_channel(call)
        return _normalize(tracer, value, 2, vector)
    first, *rest = call.values()
    for value in rest:
        first = tracer.add('add', [first, value])
    return first


@rule(basic_math.Sub)
def _subtract(tracer, call):
    if isinstance(call.operands[0], int):
        if isinstance(call.operands[1], int):
            return tracer.add('add', [call.x, tracer.add(
                'multiply_constant', [call.operands[1]], value=-1.)])
        value, vector = _by_channel(call)
        return _normalize(tracer, value, 0, vector)
    call.refuse('from a constant')


@rule(basic_math.Mul)
def _multiply(tracer, call):
    if not all(isinstance(v, int) for v in call.operands):
        value, vector = _by_channel(call)
        return _normalize(tracer, value, 1, vector)
    return tracer.add('multiply', call.values())


def _by_channel(call):
    """A value, and a constant that has one number for each channel."""
    value, = [v for v in call.operands if isinstance(v, int)]
    array, = [v.array for v in call.operands if not isinstance(v, int)]
    shape = call.out.shape
    if len(shape) < 2 or call.shapes[call.operands.index(value)] != shape:
        call.refuse('with an array')
    full = numpy.broadcast_to(array, shape)
    vector = full[(0, slice(None)) + (0,) * (len(shape) - 2)]
    if (full != vector.reshape((1, -1) + (1,) * (len(shape) - 2))).any():
        call.refuse('with an array that is no constant of each channel')
    return value, vector


def _normalize(tracer, value, row, vector):
    """(x - mean) scale + shift with one of the three."""
    factors = numpy.zeros((3, len(vector)), numpy.float32)
    factors[1] = 1
    factors[row] = vector
    return tracer.add('normalization', [value], {
        'factors': tracer.own('factors', factors)})


def _scalar(call):
    if numpy.ndim(call.node.value):
        call.refuse('with an array')
    return float(call.node.value)


@rule(basic_math.AddConstant)
def _add_constant(tracer, call):
    return tracer.add('add_constant', [call.x], value=_scalar(call))


@rule(basic_math.MulConstant)
def _multiply_constant(tracer, call):
    return tracer.add('multiply_constant', [call.x], value=_scalar(call))


@rule(basic_math.Neg)
def _negative(tracer, call):
    return tracer.add('multiply_constant', [call.x], value=-1.)


def _window(call):
    node = call.node
    if hasattr(node, 'kh'):
        return {'kernel': _ints(node.kh, node.kw),
                'stride': _ints(node.sy, node.sx),
                'pad': _ints(node.ph, node.pw)}
    if node.ndim != 2:
        call.refuse('of %d axes' % node.ndim)
    return {'kernel': _ints(*node.ksize), 'stride': _ints(*node.stride),
            'pad': _ints(*node.pad)}


@rule(max_pooling_nd.MaxPoolingND)
def _max_pooling(tracer, call):
    return tracer.add('max_pooling', [call.x], cover_all=bool(
        call.node.cover_all), **_window(call))


@rule(average_pooling_2d.AveragePooling2D,
      average_pooling_nd.AveragePoolingND)
def _average_pooling(tracer, call):
    if getattr(call.node, 'pad_value', 0) is None and any(
            call.node.pad):
        call.refuse('with pad_value=None')
    return tracer.add('average_pooling', [call.x], **_window(call))


@rule(average.Mean, sum_module.Sum, minmax.Max)
def _reduction(tracer, call):
    if call.node.axis is None:
        call.refuse('over the batch')
    return tracer.add(
        type(call.node).__name__.lower(), [call.x],
        axes=sorted(map(call.axis, call.node.axis)),
        keepdims=bool(call.node.keepdims))


@rule(reshape.Reshape, expand_dims.ExpandDims, squeeze.Squeeze)
def _reshape(tracer, call):
    shape = call.out.shape
    if shape == call.shapes[0]:
        return call.x
    if shape[:1] != (tracer.n,):
        call.refuse('over the batch')
    return tracer.add('reshape', [call.x], shape=_ints(*shape[1:]))


@rule(cast.Cast, identity.Identity, _WithGradient)
def _identity(tracer, call):
    return call.x


@rule(transpose.Transpose)
def _transpose(tracer, call):
    axes = call.node.axes
    if axes is None:
        axes = range(len(call.shapes[0]))[::-1]
    axes = [axis % len(call.shapes[0]) for axis in axes]
    if axes[0] != 0:
        call.refuse('over the batch')
    return tracer.add('transpose', [call.x], axes=_ints(*axes[1:]))


@rule(pad.Pad)
def _pad(tracer, call):
    node = call.node
    value = node.keywords.get('constant_values', 0)
    if node.mode != 'constant' or numpy.ndim(value):
        call.refuse('with mode=%r' % node.mode)
    widths = numpy.broadcast_to(
        node.pad_width, (len(call.shapes[0]), 2)).tolist()
    if any(widths[0]):
        call.refuse('over the batch')
    return tracer.add(
        'pad', [call.x], widths=widths[1:], value=float(value))


@rule(concat.Concat)
def _concat(tracer, call):
    axis = call.axis(call.node.axis)
    values = [v for v in call.operands if isinstance(v, int)]
    if len(values) == len(call.operands):
        return tracer.add('concat', values, axis=axis)
    constants = [v.array for v in call.operands if not isinstance(v, int)]
    first = float(constants[0].flat[0]) if constants[0].size else 0.
    if len(values) != 1 or any((a != first).any() for a in constants):
        call.refuse('with a constant')
    place = call.operands.index(values[0])
    n = [shape[axis] for shape in call.shapes]
    widths = [[0, 0] for _ in call.shapes[0][1:]]
    widths[axis - 1] = [sum(n[:place]), sum(n[place + 1:])]
    return tracer.add('pad', values, widths=widths, value=first)
