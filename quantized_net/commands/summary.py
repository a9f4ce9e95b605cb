"""What the layers take, of a run or of a packed file."""

from quantized_net.commands import sources
from quantized_net.packing import tensors
# the function has the name of the module
from quantized_net.summary import Row
from quantized_net.summary import Summary
from quantized_net.summary import summary

NAME = 'summary'
HELP = 'the layers of a run or of a packed file: bits, zeros, bytes'
EXAMPLES = ('summary results/mnist_ttq/ternary/seed0',
            'summary net.safetensors')


def add_arguments(parser):
    parser.add_argument('source', metavar='SOURCE', help=sources.HELP)
    parser.add_argument(
        '--ternary', choices=('base3', 'bits2'), default='base3',
        help='of a run: how ternary weights would be packed, five in a byte '
        'or four (default: %(default)s)')


def run(args):
    if sources.is_run(args.source):
        print(summary(sources.run(args.source).model, args.ternary))
        return
    print(of_network(sources.packed(args.source).network))


def of_network(network):
    """The summary of a packed network.

    Args:
        network (~quantized_net.packing.network.Network): The network.

    Returns:
        ~quantized_net.summary.Summary: A row for each weight, and one for
        all other tensors.

    """
    rows = Summary()
    weights = dict.fromkeys(
        step.tensors['W'] for step in network.steps if 'W' in step.tensors)
    for name in weights:
        tensor = network.tensors[name]
        values = tensor.values
        title, bits = 'float', 32
        if isinstance(tensor, tensors.PackedTensor):
            title = tensor.coding
            bits = max((len(tensor.codebook) - 1).bit_length(), 1)
        rows.append(Row(
            name.removesuffix('/W'), tensor.shape, title, bits,
            4 * values.size, tensor.nbytes,
            zeros=float((values == 0).mean()) if bits < 32 else None,
            n_values=len(set(values.ravel().tolist())) if bits < 32 else None
        ))
    others = sum(tensor.nbytes for name, tensor in network.tensors.items()
                 if name not in weights)
    if others:
        rows.append(Row(
            'biases, factors', None, 'float', 32, others, others))
    return rows
