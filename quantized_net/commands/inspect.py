"""What is in a packed file; nothing of it is computed."""

import math

from quantized_net import text_table
from quantized_net.commands import sources
from quantized_net.packing import tensors

NAME = 'inspect'
HELP = 'what is in a packed file: operations, tensors, bytes; runs nothing'
EXAMPLES = ('inspect net.safetensors',)


def add_arguments(parser):
    parser.add_argument('source', metavar='FILE', help='a packed file')


def run(args):
    content = sources.packed(args.source)
    network = content.network
    print('%s: a packed network, %s bytes; every SHA-256 is right' % (
        args.source, '{:,}'.format(content.nbytes)))
    for name, text in content.about.items():
        print('# %s: %s' % (_printable(name), _printable(text)))
    print('# images: %s; pixels: %s' % (
        'x'.join(map(str, network.input_shape)),
        'not said' if network.pixels is None else '(pixel%s) / %g' % (
            ' - mean' if 'mean' in network.pixels else '',
            network.pixels['divisor'])))
    print('# multiplications for an image: %s\n' % '{:,}'.format(
        network.n_products))
    table: list[tuple] = [
        ('', 'operation', 'of', 'tensors', 'attributes', 'gives')]
    for i, step in enumerate(network.steps, 1):
        table.append((
            '%d' % i, step.kind,
            '' if step.inputs == (i - 1,) else ' '.join(
                map(str, step.inputs)),
            ' '.join(step.tensors.values()), ' '.join(
                '%s=%s' % (name, str(value).replace(' ', ''))
                for name, value in step.given.items()),
            'x'.join(map(str, network.shapes[i]))))
    print('\n'.join(text_table.lay_out(table, n_left=6)))
    table = [('tensor', 'shape', 'coding', 'values', 'bytes')]
    for name, tensor in network.tensors.items():
        packed = isinstance(tensor, tensors.PackedTensor)
        table.append((
            name, 'x'.join(map(str, tensor.shape)),
            tensor.coding if packed else 'float32',
            _values(tensor.codebook) if packed else '',
            '{:,}'.format(tensor.nbytes)))
    table.append(('header', '', 'JSON', '', '{:,}'.format(
        content.nbytes - network.nbytes)))
    table.append(('total', '', '', '', '{:,}'.format(content.nbytes)))
    print('\n' + '\n'.join(text_table.lay_out(table, n_left=4)))
    n = sum(math.prod(tensor.shape) for tensor in network.tensors.values())
    print('%.2f bits a value' % (8 * content.nbytes / max(n, 1)))


def _values(codebook):
    if codebook.values.ndim == 2:
        return '%d rows of %d' % codebook.values.shape
    if len(codebook) <= 3:
        return ' '.join('%.4g' % v for v in codebook.values)
    return '%d, %s' % (len(codebook), codebook.rule)


def _printable(text):
    return ''.join(c if c.isprintable() else '?' for c in text)[:200]
