#!/usr/bin/env python3
"""Trains a quantized network on MNIST and prints the published table."""

import _bootstrap  # noqa: F401  (first: finds the environment)

import quantized_net  # before chainer, which it makes run
import chainer
from chainer import training
from chainer.training import extensions

from quantized_net import datasets
from quantized_net import extensions as our_extensions
from quantized_net import methods
from quantized_net import models
from quantized_net import optimizer_hooks
from quantized_net import optimizers
from quantized_net.training import arguments
from quantized_net.training import device as devices
from quantized_net.training import info
from quantized_net.training import options
from quantized_net.training import run
from quantized_net.training import stages
from quantized_net.training import trainers

N_VALIDATION = 10000  # of the 60,000; of the digits a sixth


def add_unit(parser):
    parser.add_argument(
        '--unit', '-u', type=options.positive_int, default=1000,
        help='units of a hidden layer of the mlp (default: %(default)s)')
    parser.add_argument(
        '--hidden-layers', type=options.positive_int, default=2,
        help='of the mlp (default: %(default)s)')


NETWORKS = {
    'mlp': arguments.Network(
        lambda args: models.MLP(
            args.unit, 10, relu=methods.get(args.method).relu,
            n_hidden=args.hidden_layers),
        'qnn', 20, add_unit),
    'convnet': arguments.Network(lambda args: models.ConvNet(), 'ttq', 2),
    'small-convnet': arguments.Network(
        lambda args: models.ConvNet(n_channels=4), 'buckets', 10),
    'lenet': arguments.Network(lambda args: models.LeNet(), 'ttq', 2),
    'dnn': arguments.Network(
        lambda args: models.GuptaDNN(), 'fixed_point', 20),
    'cnn': arguments.Network(
        lambda args: models.GuptaCNN(), 'fixed_point', 20),
}

OPTIMIZERS = {
    'adam': lambda args: optimizers.Adam(alpha=args.lr),
    'momentum': lambda args: optimizers.MomentumSGD(
        args.lr, args.momentum, args.weight_decay,
        lambda name, param: name.endswith('/W')),
    'shift-adamax': lambda args: optimizers.ShiftAdaMax(args.lr),
    'sign': lambda args: chainer.optimizers.SGD(args.lr),
}


FLAT = 'mlp', 'dnn'  # networks of vectors, not of images


def make_parser(argv=None):
    parser = arguments.Parser(__doc__, ('--model',), NETWORKS, argv)
    parser.add_common(batchsize=100, lr=0.001, schedule='constant')
    parser.add_argument(
        '--dataset', default='auto', metavar='NAME',
        help='%s (default: auto: MNIST where it can be had, else the bundled '
        'digits)' % ', '.join(datasets.NAMES))
    parser.add_argument(
        '--validation', action='store_true',
        help='hold out the last 10,000 training images as the validation set '
        'and choose by them; without it "validation" is the test set, as in '
        'the published table')
    parser.add_argument(
        '--bn-eval', choices=('running', 'batch', 'both'), default='running',
        help='statistics of BatchNormalization in the evaluation: the '
        'running ones, those of each batch (the published table), or both '
        'beside each other (default: %(default)s)')
    parser.add_argument(
        '--optimizer', choices=tuple(OPTIMIZERS), default='adam',
        help='Adam; SGD with momentum; shift-based AdaMax '
        '(arXiv:1602.02830); a step of --lr against the sign of each '
        'gradient (default: %(default)s)')
    parser.add_argument(
        '--momentum', type=options.fraction, default=0.9,
        help='default: %(default)s')
    parser.add_argument(
        '--weight-decay', type=options.non_negative_float, default=0.,
        help='of the (latent) weights; biases and BatchNormalization have '
        'none (default: %(default)s)')
    for dest in ('momentum', 'weight_decay'):
        parser.needs(dest, lambda args: args.optimizer == 'momentum',
                     'without --optimizer momentum')
    return parser


def make_network(args):
    return NETWORKS[args.network].make(args)


def main():
    parser = make_parser()
    args = parser.parse()
    device = devices.get(args.gpu, args.device)
    run.make_out(args.out)
    data = datasets.load(
        args.dataset, args.data_dir, ndim=1 if args.network in FLAT else 3)
    trainers.check(args, make_network)
    stages.run(args, parser.for_float(args),
               lambda stage: train_network(stage, data, device))


def train_network(stage, data, device):
    """Trains a network and prints its tables."""
    args = stage.args
    train, test = data.train, data.test
    validation = test
    if args.validation:
        train, validation = datasets.split_validation(
            train, N_VALIDATION if data.name == 'mnist' else len(train) // 6)
    if args.batchsize > len(train):
        raise quantized_net.UserError(
            '--batchsize %d: there are only %d training images'
            % (args.batchsize, len(train)))
    about = info.RunInfo(
        args, 'train_mnist.py', data.name, device,
        lambda argv: make_parser(argv).parse())
    print(about.header, end='', flush=True)

    devices.seed(device, args.seed)
    model = trainers.classifier(stage, device, make_network)
    optimizer = OPTIMIZERS[args.optimizer](args).setup(model)
    if args.optimizer == 'sign':
        optimizer.add_hook(optimizer_hooks.GradientSign())
    train_iter, converter = datasets.iterator(train, args.batchsize, device)
    trainer = trainers.build(
        stage, training.updaters.StandardUpdater(
            train_iter, optimizer, converter, device), about)

    def evaluate_on(dataset, name, evaluator=extensions.Evaluator):
        iterator, converter = datasets.iterator(
            dataset, args.batchsize, device, repeat=False, shuffle=False)
        trainers.add_evaluator(trainer, iterator, name, device, evaluator,
                               converter=converter)

    on_batch = our_extensions.BatchStatisticsEvaluator
    evaluate_on(validation, 'validation',
                on_batch if args.bn_eval == 'batch' else extensions.Evaluator)
    if args.bn_eval == 'both':
        evaluate_on(validation, 'validation_batch', on_batch)
    if args.validation:
        evaluate_on(test, 'test')
    trainers.run_to_end(stage, trainer, about)


if __name__ == '__main__':
    run.script(main)
