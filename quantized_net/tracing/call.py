"""A function at work, and the rules that are known for functions."""

from collections.abc import Callable

import numpy

from quantized_net import errors

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
