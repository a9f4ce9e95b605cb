"""A network for other runtimes."""

from quantized_net import export
from quantized_net.commands import sources
from quantized_net import packed

NAME = 'export'
HELP = 'an ONNX file (opset 13) of a run or of a packed file'
EXAMPLES = ('export net.safetensors net.onnx',
            'export results/mnist_ttq/ternary/seed0 net.onnx')


def add_arguments(parser):
    parser.add_argument('source', metavar='SOURCE', help=sources.HELP)
    parser.add_argument('out', metavar='FILE', help='the ONNX file')
    parser.add_argument(
        '--float-weights', action='store_true',
        help='write float32 weights, not codes that are decoded at load')


def run(args):
    if sources.is_run(args.source):
        found = sources.run(args.source)
        network = packed.describe(found.model, found.input_shape)
    else:
        network = sources.packed(args.source).network
    size = export.export_onnx(
        args.out, network, float_weights=args.float_weights)
    print('%s: %s bytes, opset 13' % (args.out, '{:,}'.format(size)))
