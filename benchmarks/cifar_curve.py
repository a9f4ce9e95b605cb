#!/usr/bin/env python3
"""The first epochs of a run of train_cifar.py, beside PyTorch's.

    python benchmarks/cifar_curve.py RESULT --epochs 2
    python benchmarks/cifar_curve.py RESULT --gradients

trains the same network in PyTorch by the same recipe, from the same weights
and over the same batches as the run in the folder RESULT (its options are in
RESULT/args.json, its losses in RESULT/log), and prints both curves.  Floating
point sums differ in their order, and training makes much of little: the
curves part slowly.  ``--gradients`` compares the gradients of the first batch
instead, in double precision.
"""

import argparse
import json
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [ROOT, os.path.join(ROOT, 'benchmarks')]

import quantized_net  # noqa: E402, F401  (before chainer)
from chainer import functions  # noqa: E402
import numpy  # noqa: E402
import torch  # noqa: E402
from torch.nn import functional  # noqa: E402

import torch_peers  # noqa: E402
import train_cifar  # noqa: E402
from quantized_net import datasets  # noqa: E402
from quantized_net import methods  # noqa: E402
from quantized_net import weights  # noqa: E402
from quantized_net.training import schedules  # noqa: E402


def make_networks(args):
    """The iterators and the two networks, as the script starts."""
    data = datasets.load_images(args.dataset, args.data_dir)
    # the same random numbers in the same order as train_cifar.py
    numpy.random.seed(args.seed)
    iterators = train_cifar.make_iterators(args, data)
    ours = train_cifar.make_network(args, data)
    theirs = torch_peers.network(args.network, args.method, None)
    if args.init is not None:
        weights.load_float(args.init, ours)
        methods.get(args.method).quantize(ours, args, args.skip)
    tensors = theirs.state_dict()
    with torch.no_grad():
        for name, param in ours.namedparams():
            tensors[torch_peers.torch_name(name)].copy_(
                torch.from_numpy(param.array))
        for name, link in ours.namedlinks():
            if hasattr(link, 'avg_mean'):
                owner = name.strip('/').replace('/', '.')
                for mine, its in (('avg_mean', 'running_mean'),
                                  ('avg_var', 'running_var')):
                    tensors['%s.%s' % (owner, its)].copy_(
                        torch.from_numpy(getattr(link, mine)))
    return iterators, ours, theirs


def compare_gradients(ours, theirs, x, t):
    """Prints the parameters whose gradients differ most, in float64."""
    for link in ours.links():
        for name in link._persistent:
            value = getattr(link, name)
            if getattr(value, 'dtype', None) == numpy.float32:
                setattr(link, name, value.astype('d'))
    for param in ours.params():
        param.array = param.array.astype('d')
    ours.cleargrads()
    loss = functions.softmax_cross_entropy(ours(x.astype('d')), t)
    loss.backward()
    their_loss = functional.cross_entropy(
        theirs.double()(torch.from_numpy(x.astype('d'))),
        torch.from_numpy(t).long())
    their_loss.backward()
    print('loss %.15f, PyTorch %.15f' % (loss.array, their_loss.item()))
    gradients = {name: p.grad.numpy()
                 for name, p in theirs.named_parameters()}
    differences = []
    for name, param in ours.namedparams():
        expected = gradients[torch_peers.torch_name(name)]
        differences.append((float(
            abs(param.grad - expected).max() / abs(expected).max()), name))
    print('gradients of %d parameters: largest difference, divided by the '
          'largest element' % len(differences))
    for difference, name in sorted(differences, reverse=True)[:5]:
        print('%.1e  %s' % (difference, name))


def make_optimizer(args, network):
    decaying, others = [], []
    for name, param in network.named_parameters():
        is_weight = name.endswith('.weight') and '.bn' not in '.' + name
        (decaying if is_weight or name.endswith(('.Wp', '.Wn'))
         else others).append(param)
    return torch.optim.SGD(
        [{'params': decaying, 'weight_decay': args.weight_decay},
         {'params': others}], args.lr, args.momentum,
        nesterov=args.nesterov)


def accuracy(network, iterator):
    network.eval()
    iterator.reset()
    right = total = 0
    with torch.no_grad():
        for x, t in iterator:
            y = network(torch.from_numpy(x)).argmax(1).numpy()
            right += int((y == t).sum())
            total += len(t)
    network.train()
    return right / total


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('result')
    parser.add_argument('--epochs', type=int, default=2)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--gradients', action='store_true')
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with open(os.path.join(options.result, 'args.json')) as f:
        args = argparse.Namespace(**json.load(f))
    with open(os.path.join(options.result, 'log')) as f:
        log = json.load(f)
    (train, validation, _), ours, network = make_networks(args)
    if options.gradients:
        compare_gradients(ours, network, *train.next())
        return
    network = network.to(memory_format=torch.channels_last)
    optimizer = make_optimizer(args, network)
    rate = schedules.from_options(args)
    print('%s, %s, seed %d; PyTorch %s' % (
        args.network, args.method, args.seed, torch.__version__))
    print('epoch  training loss  PyTorch  training acc.  PyTorch  '
          'validation acc.  PyTorch', flush=True)
    losses, right, seen = [], 0, 0
    while train.epoch < options.epochs:
        for group in optimizer.param_groups:
            group['lr'] = rate(train.epoch_detail)
        x, t = [torch.from_numpy(a) for a in train.next()]
        y = network(x)
        loss = functional.cross_entropy(y, t.long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        right += int((y.argmax(1) == t).sum())
        seen += len(t)
        if train.is_new_epoch:
            row = log[train.epoch - 1]
            print('%5d %14.4f %8.4f %14.4f %8.4f %16.4f %8.4f' % (
                train.epoch, row['main/loss'], numpy.mean(losses),
                row['main/accuracy'], right / seen,
                row['validation/main/accuracy'],
                accuracy(network, validation)), flush=True)
            losses, right, seen = [], 0, 0


if __name__ == '__main__':
    main()
