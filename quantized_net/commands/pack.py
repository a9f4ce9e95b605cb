"""A run becomes a small file."""

import os

import quantized_net
from quantized_net import errors
from quantized_net.commands import sources

NAME = 'pack'
HELP = 'a trained network as one small file, which needs no Chainer'
EXAMPLES = ('pack results/mnist_ttq/ternary/seed0 --out net.safetensors',
            'pack result/model.npz',
            'pack r20 --data-dir data       # trained on CIFAR: its mean')


def add_arguments(parser):
    parser.add_argument(
        'source', metavar='RUN', help='the folder of a run, or its model.npz '
        'or a snapshot, with args.json beside it')
    parser.add_argument(
        '--out', metavar='FILE',
        help='default: packed.safetensors in the folder of the run')
    parser.add_argument(
        '--ternary', choices=('base3', 'bits2'), default='base3',
        help='three values take 1.6 bits (five in a byte), or 2 '
        '(default: %(default)s)')
    parser.add_argument(
        '--keep-bn', action='store_true',
        help='keep BatchNormalization as it is; else it becomes a scale and '
        'a shift, or part of a float weight')
    parser.add_argument(
        '--data-dir', metavar='DIR',
        help='of a network of train_cifar.py: the folder with the original '
        'files of its data set, for the mean of the training images')


def run(args):
    found = sources.run(args.source)
    out = args.out
    if out is None:
        folder = args.source if os.path.isdir(args.source) else (
            os.path.dirname(args.source))
        out = os.path.join(folder, 'packed.safetensors')
    pixels = found.pixels(args.data_dir)
    about = {key: str(found.args[key]) for key in (
        'title', 'method', 'dataset', 'epoch', 'seed')
        if found.args.get(key) is not None}
    size = quantized_net.save_packed(
        out, found.model, found.input_shape, args.ternary,
        not args.keep_bn, pixels, about)
    try:
        before = os.path.getsize(found.path)
    except OSError as e:
        raise errors.UserError('%s: %s' % (found.path, e.strerror))
    n_floats = quantized_net.summary(found.model).float_bytes
    print('%s: %s bytes; float32 weights and statistics are %s (%.1f times '
          'more), %s has %s' % (
              out, '{:,}'.format(size), '{:,}'.format(n_floats),
              n_floats / size, found.path, '{:,}'.format(before)))
    if pixels is None:
        print('the file does not say how pixels become inputs: the mean of '
              'the training images needs --data-dir')
