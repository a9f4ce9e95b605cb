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

from quantized_net import convert
from quantized_net import datasets
from quantized_net import extensions as our_extensions
from quantized_net import files
from quantized_net import models
from quantized_net import optimizer_hooks
from quantized_net import optimizers
from quantized_net.models import mlp
from quantized_net.training import arguments
from quantized_net.training import comparison
from quantized_net.training import device as devices
from quantized_net.training import run
from quantized_net.training import snapshot

N_VALIDATION = 10000  # of the 60,000; of the digits a sixth


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    arguments.add_common(parser, batchsize=100, epoch=None)
    parser.add_argument(
        '--model', choices=('mlp', 'convnet'), default='mlp',
        help='784-unit-unit-10, or two convolutions and a linear layer '
        '(default: %(default)s)')
    parser.add_argument(
        '--unit', '-u', type=arguments.positive_int, default=1000,
        help='units of a hidden layer of the mlp (default: %(default)s)')
    parser.add_argument(
        '--method', choices=('float', 'qnn', 'bnn', 'ttq', 'twn'),
        help='what is quantized, and how; qnn and bnn are for the mlp '
        '(default: qnn, with --model convnet ttq)')
    parser.add_argument(
        '--lr', type=arguments.positive_float, default=0.001,
        help='alpha of Adam, or the step of --sign-gradient (default: '
        '%(default)s)')
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
    ternary = parser.add_argument_group('ternary weights (ttq, twn)')
    ternary.add_argument(
        '--init', metavar='SNAPSHOT',
        help='float snapshot to start from; without it a float network is '
        'trained first, in OUT/float')
    ternary.add_argument(
        '--skip', nargs='*', metavar='LAYER',
        help='layers that stay float (default: none, as the PyTorch '
        'repository; the paper keeps the first and the last float)')
    ternary.add_argument(
        '--threshold', type=arguments.positive_float,
        help='t of delta = t max|W| (default: 0.05), of twn 0.7 mean|W|')
    ternary.add_argument(
        '--sparsity', type=float,
        help='constant share of zeros instead of the threshold (ttq)')
    ternary.add_argument(
        '--fixed-scales', action='store_true',
        help='keep Wp and Wn at 1 (ttq)')
    ternary.add_argument(
        '--gradient-of-Wn', choices=('true', 'paper_eq7'), default='true',
        help='the derivative, or the sign that the paper prints (ttq)')
    ternary.add_argument(
        '--reduction', choices=('sum', 'mean'), default='sum',
        help='of the gradients of Wp and Wn (ttq; default: %(default)s)')
    ternary.add_argument(
        '--sign-gradient', action='store_true',
        help='move each parameter by --lr against the sign of its gradient, '
        'instead of Adam')
    args = parser.parse_args()
    if args.method is None:
        args.method = 'qnn' if args.model == 'mlp' else 'ttq'
    if args.model == 'convnet' and args.method in ('qnn', 'bnn'):
        parser.error('--method %s is for --model mlp' % args.method)
    if args.epoch is None:
        args.epoch = 20 if args.model == 'mlp' else 2
    if args.clip is None:
        args.clip = {'qnn': 'all', 'bnn': 'weights'}.get(args.method, 'none')
    return args


def make_model(args, method):
    if args.model == 'convnet':
        return models.ConvNet()
    return models.MLP(
        args.unit, 10, method if method in mlp.METHODS else 'float')


def quantizer_options(args):
    options = {}
    if args.threshold is not None:
        options['threshold'] = args.threshold
    if args.method == 'ttq':
        options.update(
            sparsity=args.sparsity, learn_scales=not args.fixed_scales,
            gradient_of_Wn=args.gradient_of_Wn, reduction=args.reduction)
    return options


def main():
    args = parse_args()
    device = devices.get(args.gpu, args.device)
    run.make_out(args.out)
    data = datasets.load(
        args.dataset, args.data_dir, ndim=1 if args.model == 'mlp' else 3)
    if args.method not in convert.METHODS:
        train_network(args, data, device, args.method, args.out, args.resume)
        return
    # ternary networks start from a float one
    init = args.init
    if init is None and args.resume and (
            snapshot.settings_of(args.resume)['method'] != 'float'):
        init = args.resume  # holds all that the float one would give
    if init is None:
        folder = os.path.join(args.out, 'float')
        train_network(args, data, device, 'float', folder, args.resume)
        init = snapshot.newest_first(folder)[0]
        args.resume = None
    train_network(
        args, data, device, args.method, args.out, args.resume, init)


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
        convert.load_float(init, model)
        report = convert.quantize(
            model.predictor, method, args.skip or (),
            **quantizer_options(args))
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
    trainer = training.Trainer(updater, (args.epoch, 'epoch'), out=out)

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
    if init is not None:
        trainer.extend(our_extensions.TernaryReport(model))
        entries.append('zeros')

    trainer.extend(our_extensions.NaNGuard())
    trainer.extend(extensions.LogReport())
    trainer.extend(our_extensions.TableReport(entries, header))
    title = '%s, %s, %s, seed %d' % (
        'MNIST' if data.name == 'mnist' else 'bundled digits', args.model,
        method, args.seed)
    for kind in ('loss', 'accuracy'):
        trainer.extend(our_extensions.PlotCurves(
            {'main/' + kind: 'training',
             'validation/main/' + kind: 'validation'},
            kind + '.png', kind, title,
            comparison.curves(args, method, data.name, kind)))
    trainer.extend(our_extensions.RandomState())
    settings = {
        'method': method, 'model': args.model, 'data set': data.name,
        'batchsize': args.batchsize, 'validation': args.validation,
        'lr': args.lr, 'seed': args.seed}
    if args.model == 'mlp':
        settings.update({'unit': args.unit, 'clip': args.clip})
    if init is not None:
        settings.update(quantizer_options(args), skip=args.skip,
                        sign_gradient=args.sign_gradient)
    trainer.extend(our_extensions.Settings(settings))
    take_snapshot = snapshot.extension()
    trainer.extend(take_snapshot, trigger=(args.frequency, 'epoch'))
    trainer.extend(our_extensions.Interrupt(take_snapshot))
    if os.isatty(1):
        trainer.extend(extensions.ProgressBar(update_interval=10))

    if resume:
        snapshot.load(resume, trainer)
    elif args.autoload:
        snapshot.load_newest(out, trainer)
    run.make_out(out)
    files.write_json(os.path.join(out, 'args.json'), dict(
        vars(args), script='train_mnist.py', dataset=data.name,
        method=method, init=init, versions=arguments.versions()))

    run.run(trainer)
    log = trainer.get_extension('LogReport').log
    print(comparison.table(args, method, data.name, log))
    if init is not None:
        print('\n%s' % quantized_net.summary(model))


if __name__ == '__main__':
    run.script(main)
