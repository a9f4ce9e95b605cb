#!/usr/bin/env python3
"""Time of one training step of the MNIST MLP beside PyTorch, in one run.

    python benchmarks/train_step.py --threads 1

Both frameworks train the same network (784-units-units-10 with
BatchNormalization, Adam, weight clip) on the same random batch; their steps
take turns, so that a slow moment of the machine hits both.  A ratio below 1
means that quantized_net is faster.
"""

import argparse
import os
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--steps', type=int, default=100,
                        help='steps that are timed, of each framework')
    parser.add_argument('--batchsize', type=int, default=100)
    parser.add_argument('--unit', type=int, default=1000)
    parser.add_argument('--methods', nargs='+',
                        default=['float', 'bnn', 'qnn'])
    return parser.parse_args()


def chainer_step(method, unit, x, t):
    """Returns the step, and a list to which it adds the quantization's time.

    That is the time of the quantizers' forward, of their straight-through
    gradient and of the clip, by the clock around their calls.
    """
    import chainer
    from chainer import links as L
    import quantized_net
    from quantized_net import models
    from quantized_net import optimizers
    from quantized_net.functions import straight_through

    quantizing = (straight_through.StraightThroughFunction,
                  straight_through._StraightThroughGrad)

    class Clock(chainer.FunctionHook):

        name = 'Clock'
        seconds = 0.

        def forward_preprocess(self, function, in_data):
            self.start = time.perf_counter()

        def forward_postprocess(self, function, in_data):
            if isinstance(function, quantizing):
                self.seconds += time.perf_counter() - self.start

    model = L.Classifier(models.MLP(unit, 10, method))
    optimizer = optimizers.Adam().setup(model)
    clip = method != 'float' and quantized_net.WeightClip(
        params='all' if method == 'qnn' else None)
    quantization = []

    def step():
        with Clock() as clock:
            model.cleargrads()
            loss = model(x, t)
            loss.backward()
            optimizer.update()
        start = time.perf_counter()
        if clip:
            clip(optimizer)
        quantization.append(clock.seconds + time.perf_counter() - start)
        return float(loss.array)

    return step, quantization


def torch_step(method, unit, x, t):
    import torch
    from torch import nn
    from torch.nn import functional

    class Sign(torch.autograd.Function):

        @staticmethod
        def forward(ctx, x, clip):
            ctx.clip = clip
            ctx.save_for_backward(x)
            return (x >= 0).to(x.dtype).mul_(2).sub_(1)

        @staticmethod
        def backward(ctx, gy):
            x, = ctx.saved_tensors
            return (gy * (x.abs() <= 1) if ctx.clip else gy), None

    def power_of_two(x):
        # the bits as in quantized_net.functions.ap2: several times faster
        # than frexp and ldexp, or log2 and exp2, in PyTorch
        bits = x.clamp(-1, 1).view(torch.int32)
        return (bits + (0x800000 - 0x3504f4)).bitwise_and_(
            -0x800000).view(torch.float32)

    class LogQuant(torch.autograd.Function):

        @staticmethod
        def forward(ctx, x, clip):
            ctx.clip = clip
            ctx.save_for_backward(x)
            return power_of_two(x)

        @staticmethod
        def backward(ctx, gy):
            x, = ctx.saved_tensors
            return (gy * (x.abs() <= 1) if ctx.clip else gy), None

    class QuantizedBackwardLinear(torch.autograd.Function):

        @staticmethod
        def forward(ctx, x, W, b):
            ctx.save_for_backward(x, W)
            return functional.linear(x, W, b)

        @staticmethod
        def backward(ctx, gy):
            x, W = ctx.saved_tensors
            gq = power_of_two(gy)
            gx = gq @ W if ctx.needs_input_grad[0] else None
            return gx, gq.t() @ power_of_two(x), gy.sum(0)

    layers = [nn.Linear(a, b) for a, b in
              ((784, unit), (unit, unit), (unit, 10))]
    norms = [nn.BatchNorm1d(n) for n in (unit, unit, 10)]
    model = nn.ModuleList(layers + norms)
    optimizer = torch.optim.Adam(model.parameters())
    x, t = torch.from_numpy(x), torch.from_numpy(t).long()
    clipped = {'float': [], 'bnn': [m.weight for m in layers],
               'qnn': list(model.parameters())}[method]

    def forward(h):
        for i, (linear, norm) in enumerate(zip(layers, norms)):
            if method == 'bnn':
                if i:
                    h = Sign.apply(h, True)
                h = functional.linear(
                    h, Sign.apply(linear.weight, False), linear.bias)
            elif method == 'qnn':
                if i:
                    h = LogQuant.apply(h, True)
                h = QuantizedBackwardLinear.apply(
                    h, LogQuant.apply(linear.weight, False), linear.bias)
            else:
                h = linear(h)
            h = norm(h)
            if method != 'bnn' and i < 2:
                h = torch.relu(h)
        return h

    def step():
        optimizer.zero_grad()
        loss = functional.cross_entropy(forward(x), t)
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for param in clipped:
                param.clamp_(-1, 1)
        return loss.item()

    return step


def main():
    args = parse_args()
    for name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS'):
        os.environ[name] = str(args.threads)
    import quantized_net  # noqa: F401  (before chainer)
    import chainer
    import numpy
    import torch
    torch.set_num_threads(args.threads)
    numpy.random.seed(0)
    torch.manual_seed(0)
    x = numpy.random.uniform(0, 1, (args.batchsize, 784)).astype('f')
    t = numpy.random.randint(0, 10, args.batchsize).astype('i')

    print('784-%d-%d-10, batch %d, %d thread(s), Adam; chainer %s, numpy %s, '
          'torch %s (eager)' % (
              args.unit, args.unit, args.batchsize, args.threads,
              chainer.__version__, numpy.__version__, torch.__version__))
    print('medians of %d steps in turn, milliseconds' % args.steps)
    print('%-8s %14s %8s %8s %22s' % (
        'method', 'quantized_net', 'torch', 'ratio', "quantization's share"))
    for method in args.methods:
        ours, quantization = chainer_step(method, args.unit, x, t)
        theirs = torch_step(method, args.unit, x, t)
        times = {ours: [], theirs: []}
        for _ in range(args.steps + 10):
            for step in (ours, theirs):
                start = time.perf_counter()
                step()
                times[step].append(time.perf_counter() - start)
        # the first steps warm up
        shares = [q / t for q, t in zip(quantization, times[ours])][10:]
        a, b = [statistics.median(times[s][10:]) * 1e3 for s in (ours, theirs)]
        print('%-8s %14.2f %8.2f %8.2f %21.1f%%' % (
            method, a, b, a / b, 100 * statistics.median(shares)))


if __name__ == '__main__':
    main()
