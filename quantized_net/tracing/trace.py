"""Watches a forward and writes down what it does.

The model runs in test mode on a few random images, while a hook sees each
function with its inputs.  What depends on the images becomes an operation;
what does not is a constant: a parameter, a statistic, a quantized weight.
:mod:`~quantized_net.tracing.rules` says which function becomes which
operation.  The model runs twice, on other numbers of other images: what it
computes outside of Chainer's functions shows by a difference.
"""

import chainer
from chainer import backend
import numpy

from quantized_net import errors
from quantized_net import quantizers
from quantized_net.links import quantized_layer
from quantized_net.packing import network
from quantized_net.packing import operations
from quantized_net.packing import tensors
from quantized_net.tracing import rules


class Constant(object):

    """An input of a function that does not depend on the images.

    Attributes:
        array (numpy.ndarray): Its values, on the host.
        name (str or None): Of a parameter or a statistic: its path.
        node (~chainer.variable.VariableNode): Of the graph.

    """

    def __init__(self, array, name, node):
        self.array = array
        self.name = name
        self.node = node


class Tracer(object):

    """Collects operations and tensors; the rules call its methods.

    Attributes:
        n (int): Number of images.

    """

    def __init__(self, model, n, ternary):
        self.n = n
        self.steps = []  # type: list[operations.Operation]
        self.tensors = {}  # type: dict
        self._ternary = ternary
        self._names = {}  # type: dict[int, str]
        self._quantized = {}  # type: dict[int, tuple]
        for path, link in model.namedlinks():
            path = path.strip('/')
            for name in sorted(link._params | link._persistent):
                value = link.__dict__[name]
                key = getattr(value, 'node', value)
                self._names[id(key)] = (path + '/' + name).lstrip('/')
            if isinstance(link, quantized_layer.QuantizedLayer) and isinstance(
                    link.weight_quantizer, quantizers.Quantizer):
                self._quantized[id(link.W.node)] = (
                    (path + '/W').lstrip('/'), link)

    def add(self, kind, inputs, tensors=None, **attributes):
        """Adds an operation.

        Returns:
            int: The value that is its output.

        """
        self.steps.append(
            operations.make(kind, inputs, tensors, **attributes))
        return len(self.steps)

    def constant(self, array, node):
        """An input of a function, as a constant."""
        name = self._names.get(id(node), self._names.get(id(array)))
        return Constant(
            numpy.asarray(backend.CpuDevice().send(array)), name, node)

    def tensor(self, constant):
        """Takes a constant among the tensors; returns its name."""
        name, value = constant.name, None
        path, layer = self._layer_of(constant.node)
        if layer is not None:
            name, value = path, self._packed(path, layer, constant.array)
        if name is None:
            name = 'constant%d' % len(self.tensors)
        if value is None:
            _check_float32(constant.array, name)
            value = tensors.FloatTensor(constant.array.copy())
        self.tensors[name] = value
        return name

    def own(self, name, array):
        """Takes an array among the tensors; returns the name that it got."""
        name = '%s%d' % (name, len(self.tensors))
        self.tensors[name] = tensors.FloatTensor(array)
        return name

    def _packed(self, path, layer, array):
        try:
            # what is random in training is not here
            with chainer.using_config('train', False):
                codes, codebook = layer.weight_quantizer.encode(layer.W.array)
        except ValueError as e:
            raise errors.UserError('%s: %s' % (path, e))
        codebook = quantizers.as_codebook(codebook)
        cpu = backend.CpuDevice()
        decoded = cpu.send(codebook[codes])
        _check_float32(decoded, path)
        if not numpy.array_equal(decoded, array):
            raise errors.UserError(
                '%s: the forward uses other weights than %s.encode gives'
                % (path, type(layer.weight_quantizer).__name__))
        return tensors.PackedTensor.of_codes(
            cpu.send(codes), codebook.on(numpy, cpu.send), self._ternary)

    def _layer_of(self, node):
        """The quantized layer whose weight a constant was made of."""
        pending, seen = [node], set()
        while pending:
            node = pending.pop()
            if id(node) in self._quantized:
                return self._quantized[id(node)]
            if id(node) not in seen and node.creator_node is not None:
                pending.extend(node.creator_node.inputs)
            seen.add(id(node))
        return None, None


def trace(model, input_shape, ternary='base3'):
    """The description of a model, by running it.

    Args:
        model (~chainer.Link): With initialized parameters; the network or
            its classifier.  It is not changed.
        input_shape (tuple of ints): Of one image: (C, H, W), or (n,).
        ternary (str): The coding of ternary weights, ``'base3'`` or
            ``'bits2'``.

    Returns:
        ~quantized_net.packing.network.Network: With BatchNormalization as it
        is.

    Raises:
        ~quantized_net.UserError: Where the model has no weights yet, does
            not take such images, or uses a function that is not known here,
            by its name.

    """
    if ternary not in ('base3', 'bits2'):
        raise errors.UserError(
            "ternary is 'base3' or 'bits2', not %r" % (ternary,))
    model = network_of(model)
    for name, param in sorted(model.namedparams()):
        if param.array is None:
            raise errors.UserError(
                '%s has no value yet: run the model once before packing it'
                % name.strip('/'))
    input_shape = tuple(input_shape)
    found = [_trace(model, input_shape, n, ternary) for n in (2, 3)]
    _compare(*found)
    try:
        return network.Network(input_shape, *found[0])
    except ValueError as e:
        raise errors.UserError('the model can not be packed: %s' % e)


def network_of(model):
    """The network of a classifier, or the model itself."""
    if isinstance(model, chainer.links.Classifier):
        return model.predictor
    return model


class _Recorder(chainer.FunctionHook):

    """Keeps the functions and their inputs, in order."""

    name = 'quantized_net_trace'

    def __init__(self):
        self.calls = []

    def forward_postprocess(self, function, in_data):
        self.calls.append((function, in_data))


def _trace(model, input_shape, n, ternary):
    tracer = Tracer(model, n, ternary)
    x = chainer.Variable(model.device.send(numpy.random.RandomState(
        n).uniform(-1, 1, (n,) + input_shape).astype(numpy.float32)))
    recorder = _Recorder()
    with chainer.using_config('train', False), chainer.using_config(
            'enable_backprop', True), recorder:
        try:
            y = model(x)
        except errors.UserError:
            raise
        except Exception as e:  # of anybody's forward
            raise errors.UserError(
                'the model does not take images of the shape %s: %s' % (
                    input_shape,
                    ' '.join(str(e).split()) or type(e).__name__))
    if not isinstance(y, chainer.Variable):
        raise errors.UserError(
            'the model returns %s, not a Variable' % type(y).__name__)
    values = {id(x.node): 0}
    for node, in_data in recorder.calls:
        if node.inputs is None or not any(
                id(v) in values for v in node.inputs):
            continue  # of constants
        operands = [
            values[id(v)] if id(v) in values else tracer.constant(data, v)
            for v, data in zip(node.inputs, in_data)]
        outputs = [reference() for reference in node.outputs]
        found = rules.apply(tracer, node, operands, in_data, outputs)
        values.update((id(v), value) for v, value in zip(outputs, found))
    if id(y.node) not in values or not tracer.steps:
        raise errors.UserError(
            "the model's output does not come from its input by Chainer's "
            'functions')
    return _without_dead(tracer, values[id(y.node)])


def _without_dead(tracer, output):
    """Steps and tensors that the output needs, numbered anew."""
    needed, pending = set(), [output]
    while pending:
        value = pending.pop()
        if value and value not in needed:
            needed.add(value)
            pending.extend(tracer.steps[value - 1].inputs)
    order = {0: 0}
    order.update((v, i) for i, v in enumerate(sorted(needed), 1))
    steps = [
        tracer.steps[v - 1]._replace(inputs=tuple(
            order[i] for i in tracer.steps[v - 1].inputs))
        for v in sorted(needed)]
    used = {name for step in steps for name in step.tensors.values()}
    return steps, {name: value for name, value in tracer.tensors.items()
                   if name in used}


def _compare(one, other):
    """Refuses what differs between two runs."""
    for a, b in zip(one[0], other[0]):
        if a != b:
            raise errors.UserError(
                'the model computes %s otherwise for other images; it can '
                'not be packed' % a.kind)
    if len(one[0]) != len(other[0]) or set(one[1]) != set(other[1]):
        raise errors.UserError(
            'the model does something else for other images')
    for name in one[1]:
        if not numpy.array_equal(
                one[1][name].values, other[1][name].values):
            raise errors.UserError(
                'the model takes %s from outside of its functions: an array '
                'that is another for other images' % name)


def _check_float32(array, name):
    if array.dtype != numpy.float32:
        raise errors.UserError(
            '%s is %s; only float32 models can be packed' % (
                name, array.dtype))
