"""A network as one call into C: operations fused, weights prepared once.

It takes a list of :class:`Node`, in the order in which they are to be run,
and knows nothing of where they come from.
"""

import collections
import ctypes
import weakref

import numpy

from quantized_net.kernels import native

Node = collections.namedtuple('Node', 'op inputs output options')
Node.__doc__ = """An operation on named values.

Attributes:
    op (str): One of ``OPERATIONS``.
    inputs (tuple of str): Names of the values that it takes.
    output (str): Of the value that it gives.
    options (dict): Its arrays and numbers.
"""

# What each takes besides; shapes are those of Chainer, without the batch.
OPERATIONS = {
    'convolution': 'W b stride pad dilate groups',
    'linear': 'W b',
    'coded_linear': 'codes levels b',
    'max_pooling': 'kernel stride pad size',
    'average_pooling': 'kernel stride pad size',
    'relu': '', 'add': '', 'affine': 'scale shift', 'flatten': '',
    'widen': 'before after',
}

_KINDS = {name: i for i, name in enumerate((
    'to_channels_last', 'convolution', 'linear', 'coded_linear',
    'max_pooling', 'average_pooling', 'finish', 'widen'))}
_SIZES = ('n', 'c_in', 'h_in', 'w_in', 'c_out', 'h_out', 'w_out', 'h_kernel',
          'w_kernel', 'h_stride', 'w_stride', 'h_pad', 'w_pad', 'h_dilate',
          'w_dilate', 'groups', 'exact')


_CHUNK = 24  # LOOKUP_CHUNK of lookup.h


class _Operation(ctypes.Structure):

    """``struct operation`` of network.h."""

    _fields_ = [(name, ctypes.c_int64) for name in (
        'kind', 'input', 'residual', 'relu', 'y', 'z', 'relu_z', 'n_levels',
        *_SIZES)] + [
        (name, ctypes.c_void_p) for name in (
            'weights', 'bias', 'scale', 'shift', 'words')] + [
        ('levels', ctypes.c_float * 4)]


class _Step(object):

    """A node with all that was fused into it."""

    def __init__(self, kind, source, y, **sizes):
        self.kind = kind
        self.source, self.y = source, y
        self.residual = self.z = None
        self.relu = self.relu_z = False
        self.arrays: dict = {}
        self.levels = ()
        self.sizes = sizes
        self.names: list = []

    @property
    def reads(self):
        return [v for v in (self.source, self.residual) if v is not None]

    @property
    def writes(self):
        return [v for v in (self.y, self.z) if v is not None]


def _pair(value):
    return tuple(value) if isinstance(value, (tuple, list)) else (
        value, value)


class Engine(object):

    """A network in C.

    Args:
        nodes (list of Node): The operations.
        input_shape (tuple): Of an image: (C, H, W) or (K,).
        source, result (str): Names of the network's input and output.

    Raises:
        ValueError: For an operation that it does not know.

    """

    def __init__(self, nodes, input_shape, source, result):
        if native.library() is None:
            raise RuntimeError('the kernels are not compiled')
        self.input_shape = tuple(input_shape)
        self._shapes = {source: self.input_shape}
        self._uses = collections.Counter(
            name for node in nodes for name in node.inputs)
        self._uses[result] += 1
        self._steps: list = []
        self._maker: dict = {}
        self._renamed: dict = {}
        if len(input_shape) == 3:
            c, h, w = input_shape
            self._add(_Step('to_channels_last', None, source, **_image(
                (c, h, w), (c, h, w))))
        else:
            self._add(_Step('to_channels_last', None, source, **_image(
                (input_shape[0], 1, 1), (input_shape[0], 1, 1))))
        for node in nodes:
            getattr(self, '_on_' + node.op)(node, *[
                self._renamed.get(name, name) for name in node.inputs])
        self.output_shape = self._shapes[result]
        self._result = self._renamed.get(result, result)
        self.at_a_time = self._images_at_a_time()
        self._make()

    def __call__(self, x):
        """The network's output.

        Args:
            x (numpy.ndarray): float32, shape (N,) + input_shape.

        Returns:
            numpy.ndarray: float32, shape (N,) + output_shape.

        """
        x = numpy.ascontiguousarray(x, numpy.float32)
        if x.shape[1:] != self.input_shape:
            raise ValueError('images of shape %s where the network takes %s'
                             % (x.shape[1:], self.input_shape))
        y = numpy.empty((len(x),) + self.output_shape, numpy.float32)
        if not len(x):
            return y
        library = native.library()
        failed = library.quantized_net_run_network(
            self._network, x.ctypes.data, y.ctypes.data, len(x))
        if failed < 0:
            raise MemoryError('no memory left for a network')
        if failed:
            raise RuntimeError(
                'the network was made for another level of processors')
        return y

    def explain(self):
        """What each step runs as (a list of str)."""
        return ['%s: %s' % (' + '.join(step.names) or step.kind, step.kind)
                for step in self._steps]

    # --- from nodes to steps

    def _add(self, step, node=None):
        if node is not None:
            step.names.append(node.output)
        self._steps.append(step)
        self._maker[step.y] = step

    def _open(self, value, index=None):
        """The step whose y is a value that only the next node uses."""
        step = self._maker.get(value)
        if step is None or step.y != value or self._uses[value] != 1 or (
                step.z is not None):
            return None
        return step

    def _become(self, step, old, new):
        """A step's y has another name now."""
        step.y = new
        self._maker[new] = step
        self._shapes[new] = self._shapes[old]
        step.names.append(new)

    def _on_convolution(self, node, source):
        o = node.options
        c, h, w = self._shapes[source]
        W = numpy.ascontiguousarray(o['W'], numpy.float32)
        kernel, stride, pad, dilate = [_pair(p) for p in (
            W.shape[2:], o['stride'], o['pad'], o['dilate'])]
        size = [(i + 2 * p - (k - 1) * d - 1) // s + 1 for i, p, k, d, s in
                zip((h, w), pad, kernel, dilate, stride)]
        step = _Step('convolution', source, node.output, **dict(
            _image((c, h, w), (len(W), *size)),
            h_kernel=kernel[0], w_kernel=kernel[1], h_stride=stride[0],
            w_stride=stride[1], h_pad=pad[0], w_pad=pad[1],
            h_dilate=dilate[0], w_dilate=dilate[1], groups=o['groups']))
        step.arrays = {'weights': W, 'bias': o['b']}
        self._shapes[node.output] = (len(W), *size)
        self._add(step, node)

    def _from_channels_last(self, source, columns):
        """Columns of a matrix in the order in which the values lie."""
        shape = self._shapes[source]
        if len(shape) == 1:
            return columns
        return columns.reshape((-1,) + shape).transpose(0, 2, 3, 1).reshape(
            columns.shape)

    def _flat(self, source):
        """Places of a value that a linear layer takes."""
        return int(numpy.prod(self._shapes[source]))

    def _on_linear(self, node, source):
        W = numpy.asarray(node.options['W'], numpy.float32)
        step = _Step('linear', source, node.output, **_image(
            (self._flat(source), 1, 1), (len(W), 1, 1)))
        step.arrays = {
            'weights': numpy.ascontiguousarray(
                self._from_channels_last(source, W)),
            'bias': node.options['b']}
        self._shapes[node.output] = (len(W),)
        self._add(step, node)

    def _on_coded_linear(self, node, source):
        o = node.options
        if not native.library().quantized_net_has_lookup():
            W = numpy.asarray(o['levels'], numpy.float32)[o['codes']]
            return self._on_linear(
                node._replace(options={'W': W, 'b': o['b']}), source)
        codes = self._from_channels_last(source, o['codes'])
        step = _Step('coded_linear', source, node.output, **_image(
            (self._flat(source), 1, 1), (len(codes), 1, 1)))
        step.arrays = {'words': _words(codes, len(o['levels'])), 'bias': o['b']}
        step.levels = o['levels']
        self._shapes[node.output] = (len(codes),)
        self._add(step, node)

    def _pooling(self, node, source):
        o = node.options
        c, h, w = self._shapes[source]
        kernel, stride, pad = [_pair(o[name]) for name in (
            'kernel', 'stride', 'pad')]
        size = tuple(o['size'])
        self._shapes[node.output] = (c, *size)
        self._add(_Step(node.op, source, node.output, **dict(
            _image((c, h, w), (c, *size)), h_kernel=kernel[0],
            w_kernel=kernel[1], h_stride=stride[0], w_stride=stride[1],
            h_pad=pad[0], w_pad=pad[1])), node)

    _on_max_pooling = _on_average_pooling = _pooling

    def _on_flatten(self, node, source):
        # the layer that follows takes the values as they lie
        self._renamed[node.output] = source
        self._uses[source] += self._uses[node.output] - 1
        self._shapes[node.output] = self._shapes[source]

    def _on_widen(self, node, source):
        before, after = node.options['before'], node.options['after']
        c, h, w = self._shapes[source]
        shape = (before + c + after, h, w)
        self._shapes[node.output] = shape
        self._add(_Step('widen', source, node.output, **dict(
            _image((c, h, w), shape), groups=before)), node)

    def _finish(self, node, source):
        shape = _as_image(self._shapes[source])
        step = _Step('finish', source, node.output, **_image(shape, shape))
        self._shapes[node.output] = self._shapes[source]
        self._add(step, node)
        return step

    def _on_relu(self, node, source):
        step = self._maker.get(source)
        if step is not None and step.z == source and (
                self._uses[source] == 1) and not step.relu_z:
            step.z, step.relu_z = node.output, True
            self._maker[node.output] = step
            self._shapes[node.output] = self._shapes[source]
            step.names.append(node.output)
            return
        step = self._open(source)
        if step is not None and step.kind != 'to_channels_last':
            step.relu = True
            self._become(step, source, node.output)
            return
        self._finish(node, source).relu = True

    def _on_add(self, node, a, b):
        order = {id(step): i for i, step in enumerate(self._steps)}
        for one, other in ((a, b), (b, a)):
            step = self._open(one)
            if step is None or step.relu or step.residual is not None or (
                    step.kind == 'to_channels_last'):
                continue
            if order[id(self._maker[other])] < order[id(step)]:
                step.residual = other
                self._become(step, one, node.output)
                return
        self._finish(node, a).residual = b

    def _on_affine(self, node, source):
        arrays = {name: numpy.asarray(node.options[name], numpy.float32)
                  for name in ('scale', 'shift')}
        step = self._maker.get(source)
        if step is None or step.y != source or step.z is not None or (
                step.kind == 'to_channels_last'):
            step = self._finish(node, source)
            step.y = None
        elif self._uses[source] == 1:
            step.y = None
        step.z = node.output
        step.arrays.update(arrays)
        self._maker[node.output] = step
        self._shapes[node.output] = self._shapes[source]
        if node.output not in step.names:
            step.names.append(node.output)

    # --- from steps to C

    def _images_at_a_time(self):
        """As many as keep the tiles of the smallest images busy."""
        tiles = [-(-s.sizes['h_out'] // 4) * -(-s.sizes['w_out'] // 4)
                 for s in self._steps if s.kind == 'convolution']
        return min(max(16 // max(min(tiles), 1), 1), 16) if tiles else 48

    def _places(self):
        """Where each value lies in the arena, and how large that is."""
        last = {self._result: len(self._steps)}
        sizes = {}
        for i, step in enumerate(self._steps):
            for name in step.reads:
                last[name] = max(last.get(name, 0), i)
            for name in step.writes:
                last.setdefault(name, i)
                sizes[name] = int(numpy.prod(self._shapes[name]))
        places: dict = {}
        end = 0
        for i, step in enumerate(self._steps):
            for name in step.writes:
                taken = sorted(
                    (places[other], places[other] + sizes[other])
                    for other in places
                    if last[other] >= i)
                at = 0
                for first, after in taken:
                    if at + sizes[name] <= first:
                        break
                    at = max(at, after)
                places[name] = at
                end = max(end, at + sizes[name])
        return places, end

    def _make(self):
        places, arena = self._places()
        operations = (_Operation * len(self._steps))()
        arrays = []
        for step, op in zip(self._steps, operations):
            op.kind = _KINDS[step.kind]
            for field, value in (
                    ('input', step.source), ('residual', step.residual),
                    ('y', step.y), ('z', step.z)):
                setattr(op, field, -1 if value is None else places[value])
            op.relu, op.relu_z = step.relu, step.relu_z
            op.n_levels = len(step.levels)
            for name, value in step.sizes.items():
                setattr(op, name, value)
            for name, array in step.arrays.items():
                if array is None:
                    continue
                array = numpy.ascontiguousarray(
                    array, 'uint32' if name == 'words' else 'float32')
                arrays.append(array)
                setattr(op, name, array.ctypes.data)
            for i, level in enumerate(step.levels):
                op.levels[i] = level
        library = native.library()
        library.quantized_net_make_network.restype = ctypes.c_void_p
        library.quantized_net_make_network.argtypes = [
            ctypes.c_void_p] + [ctypes.c_size_t] * 5 + [ctypes.c_int64]
        library.quantized_net_free_network.argtypes = [ctypes.c_void_p]
        library.quantized_net_free_network.restype = None
        library.quantized_net_run_network.argtypes = [
            ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p,
            ctypes.c_size_t]
        out = int(numpy.prod(self.output_shape))
        self._network = library.quantized_net_make_network(
            ctypes.addressof(operations), len(operations), self.at_a_time,
            arena, int(numpy.prod(self.input_shape)), out,
            places[self._result])
        if not self._network:
            raise MemoryError('no memory left for a network')
        weakref.finalize(
            self, library.quantized_net_free_network, self._network)



def _as_image(shape):
    return shape if len(shape) == 3 else (shape[0], 1, 1)


def _image(before, after):
    return dict(
        {'n': 1, 'h_kernel': 1, 'w_kernel': 1, 'h_stride': 1, 'w_stride': 1,
         'h_pad': 0, 'w_pad': 0, 'h_dilate': 1, 'w_dilate': 1, 'groups': 1,
         'exact': 0},
        **dict(zip(('c_in', 'h_in', 'w_in'), before)),
        **dict(zip(('c_out', 'h_out', 'w_out'), after)))


def _words(codes, n_levels):
    """Codes as the kernels of lookup.c take them.

    Args:
        codes (numpy.ndarray): Shape (N, K), below ``n_levels``.
        n_levels (int): 2, 3 or 4.

    Returns:
        numpy.ndarray: uint32, one-dimensional.

    """
    inputs = {2: 5, 3: 3, 4: 2}[n_levels]
    n, k = codes.shape
    whole = numpy.zeros(
        (-(-n // 16) * 16, -(-k // (6 * inputs)), 6, inputs), numpy.uint32)
    whole.reshape(len(whole), -1)[:n, :k] = codes
    indices = (whole * n_levels ** numpy.arange(inputs)).sum(axis=3)
    words = (indices << 5 * numpy.arange(6)).sum(axis=2).astype(numpy.uint32)
    blocks = words.reshape(-1, 16, words.shape[1]).transpose(2, 0, 1)
    return numpy.concatenate([
        blocks[word:word + _CHUNK, block:block + 4].ravel()
        for word in range(0, len(blocks), _CHUNK)
        for block in range(0, blocks.shape[1], 4)])
