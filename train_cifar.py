#!/usr/bin/env python3
"""Trains a float or ternary residual network on CIFAR-10 or CIFAR-100."""

import _bootstrap  # noqa: F401  (first: finds the environment)

import argparse

import quantized_net  # before chainer, which it makes run
from chainer import links as L
from chainer import training

from quantized_net import convert
from quantized_net import datasets
from quantized_net import extensions as our_extensions
from quantized_net import models
from quantized_net import optimizers
from quantized_net.training import arguments
from quantized_net.training import comparison
from quantized_net.training import device as devices
from quantized_net.training import run
from quantized_net.training import schedules
from quantized_net.training import trainers

N_VALIDATION = 5000  # of the 50,000; of the digits a tenth

ARCHITECTURES = {'resnet%d' % depth: depth for depth in (20, 32, 44, 56)}


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    arguments.add_common(parser, batchsize=128, epoch=160)
    parser.add_argument(
        '--arch', '-a', choices=sorted(ARCHITECTURES), default='resnet20',
        help='pre-activation network (default: %(default)s)')
    parser.add_argument(
        '--method', choices=('float', 'ttq', 'twn'), default='ttq',
        help='what is quantized, and how (default: %(default)s)')
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
        '--lr', type=arguments.positive_float, default=0.1,
        help='of momentum SGD (default: %(default)s)')
    parser.add_argument(
        '--schedule', choices=('steps', 'cosine'), default='steps',
        help='of the learning rate: a tenth after each of --drops, or half a '
        'cosine down to zero (default: %(default)s)')
    parser.add_argument(
        '--drops', type=arguments.non_negative_float, nargs='*',
        metavar='EPOCH',
        help='epochs after which the learning rate is a tenth (default: '
        'half and three quarters of --epoch: 80 and 120)')
    parser.add_argument(
        '--momentum', type=arguments.fraction, default=0.9,
        help='default: %(default)s')
    parser.add_argument(
        '--nesterov', action='store_true', help="Nesterov's momentum")
    parser.add_argument(
        '--weight-decay', type=arguments.non_negative_float, default=2e-4,
        help='of the (latent) weights and the scales Wp and Wn; biases and '
        'BatchNormalization have none (default: %(default)s)')
    parser.add_argument(
        '--no-decay-of-scales', action='store_true',
        help='no weight decay of Wp and Wn')
    parser.add_argument(
        '--epoch-budget', type=arguments.positive_float, metavar='SECONDS',
        help='stop with a snapshot and status 75 when this time is nearly '
        'up; --autoload goes on')
    ternary = arguments.add_ternary(parser, 'ttq, twn')
    ternary.add_argument(
        '--warmup', type=arguments.non_negative_float, metavar='EPOCHS',
        help='of these first epochs the learning rate is --warmup-lr: at --lr '
        'the scales may leave the trained float network at once (default: an '
        "80th of --epoch; of 160 the 2 that the authors' log has)")
    ternary.add_argument(
        '--warmup-lr', type=arguments.positive_float, default=2e-4,
        help='default: %(default)s')
    ternary.add_argument(
        '--float-classifier', action='store_true',
        help='keep the last layer float too; the first convolution always '
        "is (the authors' code has the classifier ternary)")
    args = parser.parse_args()
    if args.drops is None:
        args.drops = [args.epoch / 2, args.epoch * 3 / 4]
    if args.warmup is None:
        args.warmup = args.epoch / 80
    return args


def main():
    args = parse_args()
    device = devices.get(args.gpu, args.device)
    run.make_out(args.out)
    data = datasets.load_images(args.dataset, args.data_dir)

    def train(*stage):
        train_network(args, data, device, *stage)

    if args.method == 'float':
        train('float', args.out, args.resume, None)
    else:
        trainers.float_then_ternary(args, train)


def decays(args):
    """Which parameters have weight decay: all W, and the scales."""
    endings = ('/W',) if args.no_decay_of_scales else ('/W', '/Wp', '/Wn')
    return lambda name, param: name.endswith(endings)


def make_iterators(args, data):
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
    # as the authors' code has it: (x - mean of the pixel) / 128 - 1
    scaling = {'mean': images.mean(axis=0, dtype=float) + 128, 'scale': 128.}
    # half of the images are mirrored, but for digits
    return [datasets.BatchIterator(
        images, labels, args.batchsize, pad=4, flip=data.name != 'digits',
        **scaling)
    ] + [datasets.BatchIterator(
        x, t, 500, repeat=False, shuffle=False, **scaling)
        for x, t in (validation, test)]


def train_network(args, data, device, method, out, resume, init):
    """Trains a network by a method and prints its tables."""
    devices.seed(device, args.seed)
    train_iter, validation_iter, test_iter = make_iterators(args, data)
    header = '\n'.join([
        'GPU: %d' % devices.number(device), '# arch: %s' % args.arch,
        '# Minibatch-size: %d' % args.batchsize, '# epoch: %d' % args.epoch,
        '# method: %s' % method, '# data set: %s' % data.name,
        '# seed: %d' % args.seed]) + '\n\n'
    print(header, end='', flush=True)

    model = L.Classifier(models.ResNetCIFAR(
        ARCHITECTURES[args.arch], data.n_classes, data.train[0].shape[1]))
    settings = {
        'script': 'train_cifar.py', 'method': method, 'arch': args.arch,
        'data set': data.name, 'batchsize': args.batchsize,
        'validation': args.validation, 'lr': args.lr, 'drops': args.drops,
        'momentum': args.momentum, 'weight decay': args.weight_decay,
        'seed': args.seed}
    if args.schedule == 'cosine':
        settings.update(schedule='cosine', epoch=args.epoch)
    if args.nesterov:
        settings['nesterov'] = True
    warmup = 0
    if init is not None:
        warmup = args.warmup
        convert.load_float(init, model.predictor)
        skip = ('conv0', 'linear') if args.float_classifier else ('conv0',)
        options = arguments.quantizer_options(args)
        print(convert.quantize(model.predictor, method, skip, **options),
              end='\n\n', flush=True)
        settings.update(
            options, skip=skip, warmup=warmup, warmup_lr=args.warmup_lr,
            no_decay_of_scales=args.no_decay_of_scales)
    model.to_device(device)
    optimizer = optimizers.MomentumSGD(
        args.lr, args.momentum, args.weight_decay, decays(args),
        args.nesterov).setup(model)
    updater = training.updaters.StandardUpdater(
        train_iter, optimizer, converter=datasets.to_device, device=device)
    trainer = trainers.build(
        args, updater, model, out, header,
        '%s, %s, %s, seed %d' % (data.name, args.arch, method, args.seed),
        settings, lambda kind: comparison.cifar_curves(
            args, method, data.name, kind), is_ternary=init is not None)
    schedule = (schedules.cosine(args.lr, args.epoch)
                if args.schedule == 'cosine'
                else schedules.steps(args.lr, args.drops))
    trainer.extend(our_extensions.LearningRate(
        schedules.warmed_up(schedule, warmup, args.warmup_lr)))
    trainers.add_evaluator(trainer, validation_iter, 'validation', device,
                           converter=datasets.to_device)
    if args.validation:
        trainers.add_evaluator(trainer, test_iter, 'test', device,
                               converter=datasets.to_device)

    trainers.run_to_end(
        args, trainer, 'train_cifar.py', data.name, method, resume, init,
        lambda log: comparison.cifar_table(args, method, data.name, log))


if __name__ == '__main__':
    run.script(main)
