"""A network as an ONNX file of standard operators, its weights packed."""

import os

from quantized_net import errors
from quantized_net import files
from quantized_net import packed
from quantized_net.export import onnx_operations
from quantized_net.export import onnx_weights
from quantized_net.packing import file
from quantized_net.packing import network
from quantized_net.packing import operations

OPSET = 13
_IR_VERSION = 7  # of the ONNX that brought opset 13; older runtimes read it
_LIMIT = (1 << 31) - (1 << 20)  # bytes of a protobuf message


class Graph(object):

    """Collects the nodes and initializers of an ONNX graph.

    Attributes:
        onnx: The module.

    """

    def __init__(self, onnx):
        self.onnx = onnx
        self.nodes = []  # type: list
        self.initializers = {}  # type: dict
        self._constants = {}  # type: dict[tuple, str]

    def node(self, op, inputs, **attributes):
        """Adds a node; returns the name of its output."""
        output = 'v%d' % len(self.nodes)
        self.nodes.append(self.onnx.helper.make_node(
            op, inputs, [output], **attributes))
        return output

    def array(self, array, name=None):
        """Adds an initializer, once for a name; returns its name."""
        if name is None:
            # equal constants are one
            name = self._constants.setdefault(
                (str(array.dtype), array.shape, array.tobytes()),
                'c%d' % len(self._constants))
        if name not in self.initializers:
            self.initializers[name] = self.onnx.numpy_helper.from_array(
                array, name)
        return name


def export_onnx(path, source, input_shape=None, float_weights=False):
    """Writes a network into an ONNX file (opset 13, standard operators).

    Ternary weights are five in a byte, binary ones eight, and all are decoded
    by ``Gather`` in small tables, which onnxruntime and OpenVINO fold when
    they load the file; outputs are those of the file with float weights, to
    the bit.  Weights of 3 to 8 bits take 4 or 8, of more 16.

    Args:
        path (str): Of the file, which is whole or not there.
        source (~chainer.Link or str): A model, or the path of a packed file.
        input_shape (tuple of ints): Of one image, where it is a model.
        float_weights (bool): Whether float32 weights are written instead.

    Returns:
        int: Bytes of the file.

    Raises:
        ~quantized_net.UserError: Where ``onnx`` is not installed, the file
            can't be written, or as :func:`~quantized_net.save_packed` and
            :func:`~quantized_net.load_packed` do.

    """
    try:
        import onnx
        import onnx.numpy_helper  # noqa: F401
    except ImportError:
        raise errors.UserError('the export needs onnx: pip install onnx (the '
                               'extra "onnx")')
    if isinstance(source, (str, os.PathLike)):
        source = file.read(source).network
    elif not isinstance(source, network.Network):
        if input_shape is None:
            raise errors.UserError('input_shape: of one image, for a model')
        source = packed.describe(source, input_shape)
    content = _model(onnx, source, float_weights).SerializeToString()
    try:
        with files.replacing(path) as temporary:
            with open(temporary, 'wb') as f:
                f.write(content)
    except OSError as e:
        raise errors.UserError('%s can not be written (%s)' % (
            path, e.strerror))
    return len(content)


def _model(onnx, source, float_weights):
    graph = Graph(onnx)
    weights = onnx_weights.Weights(graph, source.tensors, float_weights)
    values = ['images']
    for i, step in enumerate(source.steps, 1):
        values.append(onnx_operations.FORMS[step.kind](
            graph, [values[v] for v in step.inputs],
            operations.attributes_of(step),
            {role: name for role, name in step.tensors.items()},
            weights, [source.shapes[v] for v in step.inputs],
            source.shapes[i]))
    for node in graph.nodes:
        for k, name in enumerate(node.output):
            if name == values[-1]:
                node.output[k] = 'scores'
        for k, name in enumerate(node.input):
            if name == values[-1]:
                node.input[k] = 'scores'
    total = sum(len(tensor.raw_data)
                for tensor in graph.initializers.values())
    if total > _LIMIT:
        raise errors.UserError('weights of %d bytes: an ONNX file has at '
                               'most 2 GiB' % total)
    helper, float32 = onnx.helper, onnx.TensorProto.FLOAT
    model = helper.make_model(helper.make_graph(
        graph.nodes, 'network',
        [helper.make_tensor_value_info(
            'images', float32, ('N',) + source.input_shape)],
        [helper.make_tensor_value_info(
            'scores', float32, ('N',) + source.output_shape)],
        list(graph.initializers.values())),
        opset_imports=[helper.make_opsetid('', OPSET)],
        producer_name='quantized_net')
    model.ir_version = _IR_VERSION
    onnx.checker.check_model(model)
    return model
