#!/usr/bin/env python3
"""Trains a quantized network on MNIST and prints the published table."""

import _bootstrap  # noqa: F401  (first: finds the environment)

import argparse

import quantized_net  # before chainer, which it makes run
import chainer
from chainer import links as L
from chainer import training
from chainer.training import extensions
import numpy

from quantized_net import convert
from quantized_net import datasets
from quantized_net import extensions as our_extensions
from quantized_net import models
from quantized_net import optimizer_hooks
from quantized_net import optimizers
from quantized_net import quantizers
from quantized_net.models import mlp
from quantized_net.training import arguments
from quantized_net.training import comparison
from quantized_net.training import device as devices
from quantized_net.training import run
from quantized_net.training import schedules
from quantized_net.training import trainers

N_VALIDATION = 10000  # of the 60,000; of the digits a sixth


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    arguments.add_common(parser, batchsize=100, epoch=None)
    parser.add_argument(
        '--model', choices=('mlp', 'convnet', 'lenet'), default='mlp',
        help='784-unit-unit-10; 16C5-32C5 and a linear layer; or 32C5-64C5 '
        'and two (default: %(default)s)')
    parser.add_argument(
        '--unit', '-u', type=arguments.positive_int, default=1000,
        help='units of a hidden layer of the mlp (default: %(default)s)')
    parser.add_argument(
        '--method', choices=('float', 'qnn', 'bnn', 'ttq', 'twn'),
        help='what is quantized, and how; qnn and bnn are for the mlp '
        '(default: qnn for the mlp, else ttq)')
    parser.add_argument(
        '--lr', type=arguments.positive_float, default=0.001,
        help='alpha of Adam, or the step of --sign-gradient (default: '
        '%(default)s)')
    parser.add_argument(
        '--schedule', choices=('constant', 'linear'), default='constant',
        help='of the learning rate: as it is, or down to zero in a line, '
        'from update to update (default: %(default)s)')
    parser.add_argument(
        '--clip', choices=('weights', 'all', 'none'),
        help='which parameters are kept within [-1, 1]: the latent weights, '
        'all (as the published table has it), none (default: all for qnn, '
        'weights for bnn, else none)')
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
    ternary = arguments.add_ternary(parser, 'ttq, twn')
    ternary.add_argument(
        '--skip', nargs='*', metavar='LAYER',
        help='layers that stay float (default: none, as the PyTorch '
        'repository; the paper keeps the first and the last float)')
    ternary.add_argument(
        '--sign-gradient', action='store_true',
        help='move each parameter by --lr against the sign of its gradient, '
        'instead of Adam')
    args = parser.parse_args()
    if args.method is None:
        args.method = 'qnn' if args.model == 'mlp' else 'ttq'
    if args.model != 'mlp' and args.method in ('qnn', 'bnn'):
        parser.error('--method %s is for --model mlp' % args.method)
    if args.epoch is None:
        args.epoch = 20 if args.model == 'mlp' else 2
    if args.clip is None:
        args.clip = {'qnn': 'all', 'bnn': 'weights'}.get(args.method, 'none')
    return args


def make_model(args, method):
    if args.model != 'mlp':
        return models.ConvNet() if args.model == 'convnet' else models.LeNet()
    return models.MLP(
        args.unit, 10, method if method in mlp.METHODS else 'float')


def main():
    args = parse_args()
    device = devices.get(args.gpu, args.device)
    run.make_out(args.out)
    data = datasets.load(
        args.dataset, args.data_dir, ndim=1 if args.model == 'mlp' else 3)
    if args.method not in quantizers.NAMED:
        train_network(args, data, device, args.method, args.out, args.resume)
        return
    trainers.float_then_ternary(
        args, lambda *stage: train_network(args, data, device, *stage))


def train_network(args, data, device, method, out, resume, init=None):
    """Trains a network by a method and prints its tables."""
    train, test = data.train, data.test
    validation = test
    if args.validation:
        train, validation = datasets.split_validation(
            train, N_VALIDATION if data.name == 'mnist' else len(train) // 6)
    if args.batchsize > len(train):
        raise quantized_net.UserError(
            '--batchsize %d: there are only %d training images'
            % (args.batchsize, len(train)))

    lines = ['GPU: %d' % devices.number(device)]
    if args.model == 'mlp':
        lines.append('# unit: %d' % args.unit)
    lines += ['# Minibatch-size: %d' % args.batchsize,
              '# epoch: %d' % args.epoch, '# method: %s' % method,
              '# data set: %s' % data.name, '# seed: %d' % args.seed]
    if args.model != 'mlp':
        lines.insert(1, '# model: %s' % args.model)
    header = '\n'.join(lines) + '\n\n'
    print(header, end='', flush=True)

    numpy.random.seed(args.seed)
    model = L.Classifier(make_model(args, method))
    if init is not None:
        convert.load_float(init, model.predictor)
        report = convert.quantize(
            model.predictor, method, args.skip or (),
            **arguments.quantizer_options(args))
        print(report, end='\n\n', flush=True)
    model.to_device(device)
    if args.sign_gradient and init is not None:
        optimizer = chainer.optimizers.SGD(args.lr).setup(model)
        optimizer.add_hook(optimizer_hooks.GradientSign())
    else:
        optimizer = optimizers.Adam(alpha=args.lr).setup(model)
    if args.clip != 'none':
        optimizer.add_hook(quantized_net.WeightClip(
            params='all' if args.clip == 'all' else None))

    train_iter = chainer.iterators.SerialIterator(train, args.batchsize)
    updater = training.updaters.StandardUpdater(
        train_iter, optimizer, device=device)
    settings = {
        'method': method, 'model': args.model, 'data set': data.name,
        'batchsize': args.batchsize, 'validation': args.validation,
        'lr': args.lr, 'seed': args.seed}
    if args.schedule != 'constant':
        settings.update({'schedule': args.schedule, 'epoch': args.epoch})
    if args.model == 'mlp':
        settings.update({'unit': args.unit, 'clip': args.clip})
    if init is not None:
        settings.update(arguments.quantizer_options(args), skip=args.skip,
                        sign_gradient=args.sign_gradient)
    title = '%s, %s, %s, seed %d' % (
        'MNIST' if data.name == 'mnist' else 'bundled digits', args.model,
        method, args.seed)
    trainer = trainers.build(
        args, updater, model, out, header, title, settings,
        lambda kind: comparison.curves(args, method, data.name, kind),
        is_ternary=init is not None)
    if args.schedule == 'linear':
        trainer.extend(our_extensions.LearningRate(
            schedules.linear(args.lr, args.epoch),
            'alpha' if hasattr(optimizer, 'alpha') else 'lr'))

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

    trainers.run_to_end(
        args, trainer, 'train_mnist.py', data.name, method, resume, init,
        lambda log: comparison.table(args, method, data.name, log))


if __name__ == '__main__':
    run.script(main)
