#!/usr/bin/env python3
"""Trains a quantized network on MNIST and prints the published table."""

import _bootstrap  # noqa: F401  (first: finds the environment)

import argparse
import os

import quantized_net  # before chainer, which it makes run
import chainer
from chainer import links as L
from chainer import training
from chainer.training import extensions
import numpy

from quantized_net import datasets
from quantized_net import extensions as our_extensions
from quantized_net import files
from quantized_net import models
from quantized_net import published
from quantized_net.models import mlp
from quantized_net.training import arguments
from quantized_net.training import comparison
from quantized_net.training import device as devices
from quantized_net.training import run
from quantized_net.training import snapshot

N_VALIDATION = 10000  # of the 60,000; of the digits a sixth


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    arguments.add_common(parser, batchsize=100, epoch=20)
    parser.add_argument(
        '--unit', '-u', type=arguments.positive_int, default=1000,
        help='units of a hidden layer (default: %(default)s)')
    parser.add_argument(
        '--method', choices=mlp.METHODS, default='qnn',
        help='what is quantized, and how (default: %(default)s)')
    parser.add_argument(
        '--lr', type=arguments.positive_float, default=0.001,
        help='alpha of Adam (default: %(default)s)')
    parser.add_argument(
        '--clip', choices=('weights', 'all', 'none'),
        help='which parameters are kept within [-1, 1]: the latent weights, '
        'all (as the published table has it), none (default: all for qnn, '
        'weights for bnn, none for float)')
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
    args = parser.parse_args()
    if args.clip is None:
        args.clip = {'qnn': 'all', 'bnn': 'weights'}.get(args.method, 'none')
    return args


def main():
    args = parse_args()
    device = devices.get(args.gpu, args.device)
    run.make_out(args.out)
    data = datasets.load(args.dataset, args.data_dir)
    train, test = data.train, data.test
    validation = test
    if args.validation:
        train, validation = datasets.split_validation(
            train, N_VALIDATION if data.name == 'mnist' else len(train) // 6)
    if args.batchsize > len(train):
        raise quantized_net.UserError(
            '--batchsize %d: there are only %d training images'
            % (args.batchsize, len(train)))

    header = '\n'.join([
        'GPU: %d' % devices.number(device),
        '# unit: %d' % args.unit,
        '# Minibatch-size: %d' % args.batchsize,
        '# epoch: %d' % args.epoch,
        '# method: %s' % args.method,
        '# data set: %s' % data.name,
        '# seed: %d' % args.seed, '', ''])
    print(header, end='', flush=True)

    numpy.random.seed(args.seed)
    model = L.Classifier(models.MLP(args.unit, 10, args.method))
    model.to_device(device)
    optimizer = chainer.optimizers.Adam(alpha=args.lr).setup(model)
    if args.clip != 'none':
        optimizer.add_hook(quantized_net.WeightClip(
            params='all' if args.clip == 'all' else None))

    train_iter = chainer.iterators.SerialIterator(train, args.batchsize)
    updater = training.updaters.StandardUpdater(
        train_iter, optimizer, device=device)
    trainer = training.Trainer(updater, (args.epoch, 'epoch'), out=args.out)

    def evaluate_on(dataset, name, evaluator=extensions.Evaluator):
        iterator = chainer.iterators.SerialIterator(
            dataset, args.batchsize, repeat=False, shuffle=False)
        trainer.extend(evaluator(iterator, model, device=device), name=name)

    on_batch = our_extensions.BatchStatisticsEvaluator
    entries = ['epoch', 'main/loss', 'validation/main/loss', 'main/accuracy',
               'validation/main/accuracy']
    evaluate_on(validation, 'validation',
                on_batch if args.bn_eval == 'batch' else extensions.Evaluator)
    if args.bn_eval == 'both':
        evaluate_on(validation, 'validation_batch', on_batch)
        entries.append('validation_batch/main/accuracy')
    if args.validation:
        evaluate_on(test, 'test')

    trainer.extend(our_extensions.NaNGuard())
    trainer.extend(extensions.LogReport())
    trainer.extend(our_extensions.TableReport(entries, header))
    title = 'MNIST MLP' if data.name == 'mnist' else 'bundled digits, MLP'
    title = '%s, %s, seed %d' % (title, args.method, args.seed)
    for kind in ('loss', 'accuracy'):
        trainer.extend(our_extensions.PlotCurves(
            {'main/' + kind: 'training',
             'validation/main/' + kind: 'validation'},
            kind + '.png', kind, title,
            comparison.curves(args, data.name, kind)))
    trainer.extend(our_extensions.RandomState())
    trainer.extend(our_extensions.Settings({
        'method': args.method, 'unit': args.unit, 'data set': data.name,
        'batchsize': args.batchsize, 'validation': args.validation,
        'lr': args.lr, 'clip': args.clip, 'seed': args.seed}))
    take_snapshot = snapshot.extension()
    trainer.extend(take_snapshot, trigger=(args.frequency, 'epoch'))
    trainer.extend(our_extensions.Interrupt(take_snapshot))
    if os.isatty(1):
        trainer.extend(extensions.ProgressBar(update_interval=10))

    if args.resume:
        snapshot.load(args.resume, trainer)
    elif args.autoload:
        snapshot.load_newest(args.out, trainer)
    files.write_json(os.path.join(args.out, 'args.json'), dict(
        vars(args), script='train_mnist.py', dataset=data.name,
        versions=arguments.versions()))

    run.run(trainer)
    log = trainer.get_extension('LogReport').log
    print(comparison.table(args, data.name, log, published.mnist_qnn))


if __name__ == '__main__':
    run.script(main)
