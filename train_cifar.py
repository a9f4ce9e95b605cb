#!/usr/bin/env python3
"""Trains a float or quantized network on CIFAR-10 or CIFAR-100."""

import _bootstrap  # noqa: F401  (first: finds the environment)

import functools

import quantized_net  # before chainer, which it makes run
from chainer import training

from quantized_net import datasets
from quantized_net import models
from quantized_net import optimizers
from quantized_net.training import arguments
from quantized_net.training import device as devices
from quantized_net.training import info
from quantized_net.training import options
from quantized_net.training import run
from quantized_net.training import stages
from quantized_net.training import trainers

N_VALIDATION = 5000  # of the 50,000; of the digits a tenth


def _make_resnet(depth, n_classes, n_channels, size):
    return models.ResNetCIFAR(depth, n_classes, n_channels)


RESNETS = {
    'resnet%d' % depth: arguments.Network(
        functools.partial(_make_resnet, depth), 'ttq', 160)
    for depth in (20, 32, 44, 56)}
NETWORKS = {
    **RESNETS,
    'gupta-cnn': arguments.Network(models.GuptaCifarCNN, 'fixed_point', 120),
    **{'polino-' + name: arguments.Network(
        functools.partial(models.PolinoCIFAR, name), 'buckets', 200)
       for name in models.PolinoCIFAR.SHAPES}}

# From pixels to inputs: what is subtracted, in the authors' code of TTQ the
# mean of the pixel and one more, and the divisor.
INPUTS = {
    'mean': lambda images: {
        'mean': images.mean(axis=0, dtype=float) + 128, 'scale': 128.},
    'unit': lambda images: {'scale': 255.},
    'signed': lambda images: {'mean': 127.5, 'scale': 127.5}}


def make_parser(argv=None):
    parser = arguments.Parser(__doc__, ('--arch', '-a'), NETWORKS, argv)
    parser.add_common(
        batchsize=128, lr=0.1, schedule='steps', warmup_share=1 / 80,
        skip=['conv0'] if parser.network in RESNETS.values() else [])
    parser.add_argument(
        '--dataset', default='auto', metavar='NAME',
        help='%s (default: auto: CIFAR-10 where it can be had, else the '
        'bundled digits)' % ', '.join(datasets.CIFAR_NAMES))
    parser.add_argument(
        '--validation', action='store_true',
        help='hold out the last 5,000 training images as the validation set '
        'and choose by them; without it "validation" is the test set, as in '
        'the published tables')
    parser.add_argument(
        '--inputs', choices=list(INPUTS), default='mean',
        help='(x - mean of the pixel) / 128 - 1; from 0 to 1; from -1 to 1 '
        '(default: %(default)s)')
    parser.add_argument(
        '--no-augmentation', action='store_true',
        help='images as they are, neither cropped nor mirrored')
    parser.add_argument(
        '--momentum', type=options.fraction, default=0.9,
        help='default: %(default)s')
    parser.add_argument(
        '--nesterov', action='store_true', help="Nesterov's momentum")
    parser.needs('nesterov', lambda args: args.momentum > 0,
                 'with --momentum 0')
    parser.add_argument(
        '--weight-decay', type=options.non_negative_float, default=2e-4,
        help='of the (latent) weights and the scales Wp and Wn; biases and '
        'BatchNormalization have none (default: %(default)s)')
    parser.add_argument(
        '--no-decay-of-scales', action='store_true',
        help='no weight decay of Wp and Wn')
    parser.needs('no_decay_of_scales', lambda args: args.weight_decay > 0,
                 'with --weight-decay 0')
    return parser


def main():
    parser = make_parser()
    args = parser.parse()
    device = devices.get(args.gpu, args.device)
    run.make_out(args.out)
    data = datasets.load_images(args.dataset, args.data_dir)
    trainers.check(args, lambda args: make_network(args, data))
    stages.run(args, parser.for_float(args),
               lambda stage: train_network(stage, data, device))


def make_iterators(args, data, device):
    """Iterators over the training, validation and test images."""
    (images, labels), test = data.train, data.test
    validation = test
    if args.validation:
        n = N_VALIDATION if data.name != 'digits' else len(images) // 10
        validation = images[-n:], labels[-n:]
        images, labels = images[:-n], labels[:-n]
    if args.batchsize > len(images):
        raise quantized_net.UserError(
            '--batchsize %d: there are only %d training images'
            % (args.batchsize, len(images)))
    scaling = dict(INPUTS[args.inputs](images), device=device)
    # half of the images are mirrored, but for digits
    return [datasets.BatchIterator(
        images, labels, args.batchsize, pad=0 if args.no_augmentation else 4,
        flip=data.name != 'digits' and not args.no_augmentation, **scaling)
    ] + [datasets.BatchIterator(
        x, t, 500, repeat=False, shuffle=False, **scaling)
        for x, t in (validation, test)]


def make_network(args, data):
    return NETWORKS[args.network].make(
        data.n_classes, *data.train[0].shape[1:3])


def make_optimizer(args):
    """Momentum SGD; all W have weight decay, and the scales."""
    endings = ('/W',) if args.no_decay_of_scales else ('/W', '/Wp', '/Wn')
    return optimizers.MomentumSGD(
        args.lr, args.momentum, args.weight_decay,
        lambda name, param: name.endswith(endings), args.nesterov)


def train_network(stage, data, device):
    """Trains a network and prints its tables."""
    args = stage.args
    about = info.RunInfo(
        args, 'train_cifar.py', data.name, device,
        lambda argv: make_parser(argv).parse())
    print(about.header, end='', flush=True)

    devices.seed(device, args.seed)
    train_iter, validation_iter, test_iter = make_iterators(
        args, data, device)
    model = trainers.classifier(
        stage, device, lambda args: make_network(args, data))
    trainer = trainers.build(
        stage, training.updaters.StandardUpdater(
            train_iter, make_optimizer(args).setup(model),
            converter=datasets.to_device, device=device), about)
    trainers.add_evaluator(trainer, validation_iter, 'validation', device,
                           converter=datasets.to_device)
    if args.validation:
        trainers.add_evaluator(trainer, test_iter, 'test', device,
                               converter=datasets.to_device)
    trainers.run_to_end(stage, trainer, about)


if __name__ == '__main__':
    run.script(main)
