#!/usr/bin/env python3
"""A training step of ResNet-20 on a GPU, beside PyTorch in one process.

For each method and side: the time of a step, the time in which the host has
asked for it, launches, and the GPU's time by kernel; for Chainer by function
too.  Each result is a JSON file in --out; those that are there are not
measured again.  tools/gpu_check.py runs it.
"""

import argparse
import json
import pathlib
import sys
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / 'benchmarks')]

import quantized_net  # noqa: E402  (before chainer)
import chainer  # noqa: E402
from chainer import function_hooks  # noqa: E402
import numpy  # noqa: E402

from quantized_net import convert  # noqa: E402
from quantized_net import links  # noqa: E402
from quantized_net import models  # noqa: E402
from quantized_net import optimizers  # noqa: E402

METHODS = 'float', 'ttq'
LR, MOMENTUM, WEIGHT_DECAY = .1, .9, 2e-4


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=pathlib.Path, default='profile')
    parser.add_argument('--batch', type=int, default=128)
    parser.add_argument('--steps', type=int, default=50)
    parser.add_argument('--limit', type=float, default=570)
    parser.add_argument('--versions', action='store_true',
                        help='print what this runs on, and nothing else')
    return parser.parse_args()


def import_torch():
    """PyTorch and the peers, or (None, None) where there is none."""
    try:
        import torch
        import torch_peers
    except ImportError:
        return None, None
    if not torch.cuda.is_available():
        return None, None
    return torch, torch_peers


def versions():
    cupy = chainer.backends.cuda.cupy
    torch, _ = import_torch()
    return 'quantized_net %s, Python %s, NumPy %s, CuPy %s, PyTorch %s, %s' % (
        quantized_net.__version__, sys.version.split()[0], numpy.__version__,
        cupy.__version__, 'none' if torch is None else torch.__version__,
        cupy.cuda.runtime.getDeviceProperties(0)['name'].decode())


def draw_batch(n):
    random = numpy.random.RandomState(0)
    return (random.normal(size=(n, 3, 32, 32)).astype('f'),
            random.randint(0, 10, n).astype('i'))


# Sides: a function that asks for a step, and one that waits -----------------

def make_ours(method, batch):
    device = chainer.get_device('@cupy:0')
    device.use()
    numpy.random.seed(0)
    model = links.Classifier(models.ResNetCIFAR(20, 10, 3))
    if method != 'float':
        convert.quantize(model.predictor, method, ('conv0',))
    model.to_device(device)
    optimizer = optimizers.MomentumSGD(
        LR, MOMENTUM, WEIGHT_DECAY,
        lambda name, param: name.endswith(('/W', '/Wp', '/Wn'))).setup(model)
    x, t = [device.send(a) for a in batch]
    return lambda: optimizer.update(model, x, t), device.device.synchronize


def make_torch(torch, torch_peers, method, batch, is_compiled, tf32):
    # CuPy has no TF32 unless asked; PyTorch's convolutions have
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = True
    # the form for the CPU reads the threshold from the device
    torch_peers.ternary_codes = lambda W, delta: (
        (W > delta).to(W.dtype) - (W < -delta).to(W.dtype))
    model = torch_peers.network('resnet20', method, None).cuda()
    optimizer = torch.optim.SGD(
        model.parameters(), LR, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    x, t = [torch.from_numpy(a).cuda() for a in batch]
    t = t.long()

    def loss_function(x, t):
        return torch.nn.functional.cross_entropy(model(x), t)

    loss_function = torch.compile(
        loss_function) if is_compiled else loss_function

    def step():
        optimizer.zero_grad()
        loss_function(x, t).backward()
        optimizer.step()
    return step, torch.cuda.synchronize


def make_sides(method, batch):
    """From names to functions that make the two of a side."""
    sides = {'chainer': lambda: make_ours(method, batch)}
    torch, torch_peers = import_torch()
    if torch is not None:
        for name, is_compiled, tf32 in [
                ('eager', False, False), ('eager-tf32', False, True),
                ('compile', True, False)]:
            sides[name] = lambda options=(is_compiled, tf32): make_torch(
                torch, torch_peers, method, batch, *options)
    return sides


# Measuring ------------------------------------------------------------------

def measure_times(step, wait, n):
    """Seconds of a step, and until the host has asked for it."""
    for _ in range(5):
        step()
    wait()
    start = time.perf_counter()
    for _ in range(n):
        step()
    asked = time.perf_counter()
    wait()
    return (time.perf_counter() - start) / n, (asked - start) / n


def count_kernels(step, wait):
    """Launches and seconds of a step by kernel, or None.

    PyTorch's profiler sees all of the process, CuPy's kernels too.
    """
    torch, _ = import_torch()
    if torch is None:
        return _count_on_standin(step)
    activity = torch.profiler.ProfilerActivity
    with torch.profiler.profile(
            activities=[activity.CPU, activity.CUDA]) as profile:
        step()
        wait()
    kernels = {}
    for event in profile.events():
        if (event.device_type == torch.autograd.DeviceType.CUDA
                and not getattr(event, 'is_user_annotation', False)):
            entry = kernels.setdefault(event.name, [0, 0])
            entry[0] += 1
            entry[1] += event.time_range.elapsed_us() / 1e6
    return kernels


def _count_on_standin(step):
    """The stand-in of the tests knows launches, but no time."""
    try:
        from standin import meter
    except ImportError:
        return None
    with meter.recording() as record:
        step()
    kernels = {}
    for (name, _), n in record.launches.items():
        kernels.setdefault(name, [0, 0])[0] += n
    return kernels


def time_functions(step):
    """Seconds of a step by Chainer's function, each one waited for."""
    hook = function_hooks.TimerHook()
    with hook:
        step()
    return {name: record['elapsed_time']
            for name, record in hook.summary().items()}


def measure(side, make, args):
    step, wait = make()
    total, host = measure_times(step, wait, args.steps)
    result = {'seconds': total, 'host_seconds': host,
              'kernels': count_kernels(step, wait), 'batch': args.batch}
    line = '%.2f ms a step, the host %.2f ms' % (1e3 * total, 1e3 * host)
    if result['kernels']:
        line += ', %d launches, the GPU %.2f ms' % (
            sum(n for n, _ in result['kernels'].values()),
            1e3 * sum(s for _, s in result['kernels'].values()))
    if side == 'chainer':
        result['functions'] = time_functions(step)
    return dict(result, line=line)


def print_largest(result):
    for title, times in [
            ('kernels', {k: s for k, (_, s) in (
                result['kernels'] or {}).items()}),
            ('functions', result.get('functions', {}))]:
        largest = sorted(times.items(), key=lambda item: -item[1])[:12]
        for name, seconds in largest:
            print('  %-9s %8.1f us  %s' % (title, 1e6 * seconds, name[:90]))


def main():
    args = parse_args()
    print(versions())
    if args.versions:
        return
    end = time.monotonic() + args.limit
    args.out.mkdir(parents=True, exist_ok=True)
    batch = draw_batch(args.batch)
    for method in METHODS:
        for side, make in make_sides(method, batch).items():
            path = args.out / ('%s-%s.json' % (method, side))
            if path.exists() or time.monotonic() > end:
                continue
            try:
                result = measure(side, make, args)
            except Exception:  # of a peer; the others are worth their time
                traceback.print_exc()
                continue
            path.write_text(json.dumps(result, indent=1))
            print('%s, %s: %s' % (method, side, result['line']), flush=True)
            print_largest(result)


if __name__ == '__main__':
    main()
