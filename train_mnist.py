#!/usr/bin/env python3
"""Trains a quantized network on MNIST and prints the published table."""

import _bootstrap  # noqa: F401  (first: finds the environment)

import quantized_net  # before chainer, which it makes run
import chainer
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
from quantized_net.training import parallel
from quantized_net.training import run
from quantized_net.training import stages
from quantized_net.training import trainers

N_VALIDATION = 10000  # of the 60,000; of the digits a sixth


def add_unit(parser):
    parser.add_argument(
        '--unit', '-u', type=options.positive_int, default=1000,
        help='units of a hidden layer of the mlp (default: %(default)s)')


NETWORKS = {
    'mlp': arguments.Network(
        lambda args: models.MLP(
            args.unit, 10, relu=methods.get(args.method).relu),
        'qnn', 20, add_unit),
    'convnet': arguments.Network(lambda args: models.ConvNet(), 'ttq', 2),
    'lenet': arguments.Network(lambda args: models.LeNet(), 'ttq', 2),
}


def make_parser(argv=None):
    parser = arguments.Parser(__doc__, '--model', NETWORKS, argv)
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
        '--optimizer', choices=('adam', 'sign'), default='adam',
        help='Adam, or a step of --lr against the sign of each gradient '
        '(default: %(default)s)')
    return parser


def make_network(args):
    return NETWORKS[args.network].make(args)


def make_optimizer(args):
    if args.optimizer == 'adam':
        return optimizers.Adam(alpha=args.lr)
    return chainer.optimizers.SGD(args.lr)


def main():
    parser = make_parser()
    args = parser.parse()
    ranks, device, data = trainers.begin(
        args, lambda: datasets.load(
            args.dataset, args.data_dir,
            ndim=1 if args.network == 'mlp' else 3),
        lambda args, data: make_network(args))
    stages.run(args, parser.for_float(args),
               lambda stage: train_network(stage, data, device, ranks), ranks)


def train_network(stage, data, device, ranks):
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
        lambda argv: make_parser(argv).parse(), ranks)
    print(about.header, end='', flush=True)

    devices.seed(device, args.seed)
    model = trainers.classifier(stage, device, make_network)
    optimizer = make_optimizer(args).setup(model)
    if args.optimizer == 'sign':
        optimizer.add_hook(optimizer_hooks.GradientSign())
    train_iter = datasets.RankIterator(
        train, args.batchsize, rank=ranks.rank, size=ranks.size)
    trainer = trainers.build(
        stage, parallel.updater(
            ranks, args.seed, train_iter, optimizer, device), about)

    def evaluate_on(dataset, name, evaluator=extensions.Evaluator):
        trainers.add_evaluator(
            trainer, chainer.iterators.SerialIterator(
                dataset, args.batchsize, repeat=False, shuffle=False),
            name, device, evaluator)

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
