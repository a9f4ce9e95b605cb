#!/usr/bin/env python3
"""Trains a float or quantized network on ImageNet, or other image files."""

import _bootstrap  # noqa: F401  (first: finds the environment)

import functools
import shlex
import sys

import quantized_net  # before chainer, which it makes run
import chainer

from quantized_net import datasets
from quantized_net import functions
from quantized_net import models
from quantized_net import optimizers
from quantized_net.training import arguments
from quantized_net.training import device as devices
from quantized_net.training import info
from quantized_net.training import options
from quantized_net.training import parallel
from quantized_net.training import run
from quantized_net.training import stages
from quantized_net.training import trainers

ResNet = models.ResNet
NETWORKS = {
    'resnet18': arguments.Network(functools.partial(ResNet, 18), 'ttq', 90),
    'resnet18b': arguments.Network(
        functools.partial(ResNet, 18, width=1.5), 'ttq', 90),
    'resnet34': arguments.Network(functools.partial(ResNet, 34), 'ttq', 90),
    'resnet50': arguments.Network(functools.partial(ResNet, 50), 'ttq', 90),
    'alexnet': arguments.Network(models.AlexNet, 'ttq', 80),
    'vgg16': arguments.Network(models.VGG16, 'ttq', 90),
    'googlenet': arguments.Network(models.GoogLeNetBN, 'ttq', 90),
}

# First and last layer.
ENDS = {'alexnet': ['conv0', 'fct'], 'vgg16': ['conv1_1', 'fc8'],
        'googlenet': ['conv1', 'fc']}

# What was published, as options; those of the command line come after.
RECIPES = {
    # the log and script of the authors, czhu95/ternarynet
    'ttq-alexnet': (
        '--arch alexnet --method ttq --scratch --threshold 0.049 '
        '--optimizer adam --adam-eps 1e-5 --lr 1e-4 --schedule steps '
        '--drops 56 64 --drop-factor 0.2 --epoch 80 --batchsize 128 '
        '--weight-decay 5e-6 --decay-only fc'),
    # arXiv:1702.03044; rate and epochs of the reproduction by Mxbonn
    'inq-resnet18': (
        '--arch resnet18 --method inq --bits 5 '
        '--portions 0.5 0.75 0.875 1 --skip --lr 1e-3 --schedule constant '
        '--warmup 0 --epoch 12 --batchsize 80 --weight-decay 5e-4'),
}


def make_parser(argv=None):
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = arguments.Parser(
        __doc__, ('--arch', '-a'), NETWORKS, _recipe_of(argv) + argv)
    name = next(k for k, v in NETWORKS.items() if v is parser.network)
    parser.add_common(
        batchsize=256, lr=0.1, schedule='steps',
        skip=ENDS.get(name, ['conv0', 'fc']))
    parser.add_argument(
        '--recipe', choices=list(RECIPES),
        help='the options of a published result: %s' % '; '.join(
            '%s: %s' % recipe for recipe in RECIPES.items()))
    _add_data(parser.add_argument_group('images'))
    parser.needs('root', lambda args: args.train is not None,
                 'without --train and --val')
    _add_optimizer(parser)
    return parser


def _recipe_of(argv):
    """The options that a recipe on the command line stands for."""
    chosen = ''
    for i, text in enumerate(argv):
        if text == '--recipe' and i + 1 < len(argv):
            chosen = argv[i + 1]
        elif text.startswith('--recipe='):
            chosen = text.partition('=')[2]
    return shlex.split(RECIPES.get(chosen, ''))


def _add_data(group):
    group.add_argument(
        '--train', metavar='LIST',
        help='list of training images, in the place of --data-dir with train/ '
        'and val/: a path, a space and a label on each line')
    group.add_argument(
        '--val', metavar='LIST', help='list of validation images')
    group.add_argument(
        '--root', default='.', metavar='DIR',
        help='what the paths in the lists are relative to '
        '(default: this folder)')
    group.add_argument(
        '--augmentation', choices=('resized', 'crop'), default='resized',
        help='of the training images: a random part in a random size, or a '
        'random place of the image with the shorter side 256; half of them '
        'mirrored (default: %(default)s)')
    group.add_argument(
        '--size', type=options.positive_int, default=224, metavar='PIXELS',
        help='height and width of what the network sees; alexnet and vgg16 '
        'are for 224 (default: %(default)s)')
    group.add_argument(
        '--corrupt', choices=('refuse', 'skip'), default='refuse',
        help='what to do with an image that can not be read: end, or leave '
        'it out; it is named (default: %(default)s)')
    group.add_argument(
        '--loader-threads', type=options.positive_int, metavar='N',
        default=None, help='that decode images (default: as many as compute)')
    group.add_argument(
        '--val-batchsize', type=options.positive_int, default=50,
        help='default: %(default)s')


def _add_optimizer(parser):
    parser.add_argument(
        '--optimizer', choices=('momentum', 'adam'), default='momentum',
        help='default: %(default)s')
    parser.add_argument(
        '--momentum', type=options.fraction, default=0.9,
        help='default: %(default)s')
    parser.needs('momentum', lambda args: args.optimizer == 'momentum',
                 'without --optimizer momentum')
    parser.add_argument(
        '--adam-eps', type=options.positive_float, default=1e-8,
        help='default: %(default)s')
    parser.needs('adam_eps', lambda args: args.optimizer == 'adam',
                 'without --optimizer adam')
    parser.add_argument(
        '--weight-decay', type=options.non_negative_float, default=1e-4,
        help='of the (latent) weights and the scales Wp and Wn '
        '(default: %(default)s)')
    parser.add_argument(
        '--decay-only', metavar='NAME', default='',
        help='weight decay only of layers whose name begins so')
    parser.needs('decay_only', lambda args: args.weight_decay > 0,
                 'with --weight-decay 0')


def main():
    parser = make_parser()
    args = parser.parse()
    if args.size != 224 and args.network in ('alexnet', 'vgg16'):
        parser.error('--size %d: %s is for images of 224' % (
            args.size, args.network))
    ranks, device, data = trainers.begin(
        args, lambda: datasets.load_image_files(
            args.data_dir, args.train, args.val, args.root), make_network)
    stages.run(args, parser.for_float(args),
               lambda stage: train_network(stage, data, device, ranks), ranks)


def make_network(args, data):
    return NETWORKS[args.network].make(data.n_classes)


def make_iterators(args, data, ranks):
    """Iterators over the training and the validation images."""
    paths, labels = data.train
    if args.batchsize > len(paths):
        raise quantized_net.UserError(
            '--batchsize %d: there are only %d training images'
            % (args.batchsize, len(paths)))
    make = functools.partial(
        datasets.ImageIterator, seed=args.seed, size=args.size,
        shorter=args.size * 256 // 224,
        skip_corrupt=args.corrupt == 'skip',
        threads=args.loader_threads or datasets.default_threads())
    train = make(
        paths, labels, args.batchsize, augmentation=args.augmentation,
        rank=ranks.rank, ranks=ranks.size)
    paths, labels = data.test
    return train, make(paths, labels, args.val_batchsize, repeat=False,
                       augmentation='centre')


def make_optimizer(args, model):
    def decays(name, param):
        layer = name.removeprefix('/predictor/')
        return layer.startswith(args.decay_only) and name.endswith(
            ('/W', '/Wp', '/Wn'))

    if args.optimizer == 'momentum':
        return optimizers.MomentumSGD(
            args.lr, args.momentum, args.weight_decay, decays).setup(model)
    optimizer = optimizers.Adam(args.lr, eps=args.adam_eps).setup(model)
    if args.weight_decay:
        for name, param in model.namedparams():
            if decays(name, param):
                param.update_rule.add_hook(
                    chainer.optimizer_hooks.WeightDecay(args.weight_decay))
    return optimizer


def report_top_5(model, y, t):
    """The accuracy; reports that of the five largest logits, too."""
    chainer.report({'accuracy_5': functions.top_k_accuracy(y, t, 5)}, model)
    return chainer.functions.accuracy(y, t)


def train_network(stage, data, device, ranks):
    """Trains a network and prints its tables."""
    args = stage.args
    about = info.RunInfo(
        args, 'train_imagenet.py', data.name, device,
        lambda argv: make_parser(argv).parse(), ranks)
    print(about.header, end='', flush=True)

    devices.seed(device, args.seed)
    train_iter, validation_iter = make_iterators(args, data, ranks)
    model = trainers.classifier(
        stage, device, lambda args: make_network(args, data))
    model.accfun = functools.partial(report_top_5, model)
    trainer = trainers.build(
        stage, parallel.updater(
            ranks, args.seed, train_iter, make_optimizer(args, model),
            device, converter=datasets.to_device), about,
        ['validation/main/accuracy_5'])
    trainers.add_evaluator(trainer, validation_iter, 'validation', device,
                           converter=datasets.to_device)
    trainers.run_to_end(stage, trainer, about)


if __name__ == '__main__':
    run.script(main)
