"""Packed weights in ONNX, decoded by what runtimes fold at load.

Bytes hold several codes.  A table has the codes of each byte, another the
value of each code::

    Cast(bytes, INT32) -> Gather(table of codes) -> Cast(INT32)
    -> Gather(codebook) -> Reshape(-1) -> Slice(0:n) -> Reshape(shape)

``DequantizeLinear`` on weights of float products would be shorter, but
onnxruntime does not fold it and runs it at each call.
"""

import math

import numpy

from quantized_net import packing
from quantized_net.packing import tensors

_CODES = {  # in a byte, or what takes its place
    'base3': 5, 'bits1': 8, 'bits2': 4, 'bits4': 2}
_LARGEST_TABLE = 1 << 12  # values; a larger codebook has to be computed


class Weights(object):

    """Adds the tensors of a network to a graph, each once.

    Args:
        graph (~quantized_net.export.onnx_file.Graph): The graph.
        arrays (dict): From names to tensors.
        float_weights (bool): Whether all become float32.

    """

    def __init__(self, graph, arrays, float_weights):
        self._graph = graph
        self._tensors = arrays
        self._float_weights = float_weights
        self._names = {}  # type: dict[str, str]

    def __call__(self, name):
        """The value in the graph that is the tensor of a name."""
        if name not in self._names:
            self._names[name] = self._add(name, self._tensors[name])
        return self._names[name]

    def array(self, name):
        """The values themselves (numpy.ndarray)."""
        return self._tensors[name].values

    def _add(self, name, tensor):
        if isinstance(tensor, tensors.FloatTensor) or self._float_weights or (
                not _has_whole_rows(tensor)):
            return self._graph.array(
                numpy.ascontiguousarray(tensor.values), name)
        codebook = tensor.codebook
        float_rule = len(codebook) > _LARGEST_TABLE
        if float_rule and not _is_computed(codebook):
            return self._graph.array(tensor.values, name)
        codes = self._codes(name, tensor)
        node, onnx = self._graph.node, self._graph.onnx
        if float_rule:
            low, step = _rule(codebook)
            codes = node('Cast', [codes], to=onnx.TensorProto.FLOAT)
            values = node('Add', [
                node('Mul', [codes, self._graph.array(step)]),
                self._graph.array(low)])
        else:
            table = numpy.ascontiguousarray(codebook.values)
            if table.ndim == 2:
                rows, n = table.shape
                codes = node('Reshape', [codes, self._ints(
                    [rows, tensor.codes().size // rows])])
                codes = node('Add', [codes, self._graph.array(
                    (numpy.arange(rows) * n).astype(numpy.int32)[:, None])])
            values = node('Gather', [
                self._graph.array(table.ravel(), name + '/values'), codes])
        return node('Reshape', [values, self._ints(tensor.shape)])

    def _codes(self, name, tensor):
        """Codes as INT32, flat, so many as there are weights."""
        node, graph = self._graph.node, self._graph
        int32 = graph.onnx.TensorProto.INT32
        codes, coding = tensor.codes(), tensor.coding
        if coding in ('bits3',):
            coding = 'bits4'
        if coding not in _CODES:
            wide = int(coding[4:]) > 8
            flat = codes.ravel().astype(numpy.uint16 if wide else numpy.uint8)
            return node('Cast', [graph.array(flat, name)], to=int32)
        per_byte = _CODES[coding]
        content = node('Cast', [
            graph.array(packing.pack(codes, coding), name)], to=int32)
        n = 243 if coding == 'base3' else 256
        table = packing.unpack(numpy.arange(n, dtype=numpy.uint8), coding, (
            n, per_byte)) if coding != 'base3' else (
                numpy.arange(243)[:, None] // 3 ** numpy.arange(5) % 3)
        found = node('Gather', [graph.array(
            table.astype(numpy.uint8), 'codes of ' + coding), content])
        found = node('Cast', [found], to=int32)
        found = node('Reshape', [found, self._ints([-1])])
        if codes.size % per_byte:
            found = node('Slice', [
                found, self._ints([0]), self._ints([codes.size])])
        return found

    def _ints(self, values):
        return self._graph.array(numpy.array(values, numpy.int64))


def _has_whole_rows(tensor):
    """Whether the rows of a codebook are of as many codes each."""
    run = tensor.codebook.run
    return run is None or run * len(tensor.codebook.values) == (
        math.prod(tensor.shape))


def _rule(codebook):
    low = codebook.values[0]
    return low, codebook.values[1] - low


def _is_computed(codebook):
    """Whether float32 arithmetic gives the values of a codebook."""
    if codebook.rule != 'uniform' or len(codebook) < 2:
        return False
    low, step = _rule(codebook)
    found = numpy.arange(len(codebook)).astype(numpy.float32) * step + low
    return bool((found == codebook.values).all())
