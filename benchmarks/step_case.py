"""One network, method and number of threads, in a process of its own.

benchmarks/train_step.py starts it with the fields of :class:`Case` in JSON,
and reads the JSON of its last line.
"""

import contextlib
import dataclasses
import gc
import io
import json
import os
import pathlib
import resource
import runpy
import statistics
import sys
import time

# Nothing heavy is imported above the functions: a process that measures the
# memory of one side has to be without the other.

ROOT = pathlib.Path(__file__).resolve().parent.parent

PEERS = ('eager', 'channels_last', 'compile', 'stock')
TERNARY = ('float', 'ttq', 'twn')

# From the name of a network to its methods, batch size, shape of an image,
# optimizer, weight decay and number of timed steps.
NETS = {
    'mlp': (('float', 'bnn', 'qnn'), 100, (784,), 'adam', 0., 300),
    'convnet': (TERNARY, 100, (1, 28, 28), 'adam', 0., 100),
    'resnet20': (TERNARY, 128, (3, 32, 32), 'sgd', 1e-4, 20),
    'resnet56': (TERNARY, 128, (3, 32, 32), 'sgd', 1e-4, 10),
    'vgg7': (TERNARY, 100, (3, 32, 32), 'sgd', 1e-4, 10),
}


@dataclasses.dataclass
class Case:

    """What is measured.

    Attributes:
        net, method (str): The network; ``'float'`` or how it is quantized.
        threads (int): Of each side.
        peers (list of str): Of ``PEERS``.
        steps (int): Steps that are timed, of each side.
        turn (int): How many of them follow each other.
        batchsize, unit (int): Size of a batch; width of the MLP.
        optimizer (str): ``'adam'`` or ``'sgd'``.
        lr, weight_decay (float): Of momentum SGD.
        fused (bool): Whether PyTorch's optimizers are the fused ones.
        memory_of (str): Instead of the times, the peak memory of this side.

    """

    net: str
    method: str
    threads: int
    peers: list
    steps: int
    turn: int
    batchsize: int
    unit: int
    optimizer: str
    weight_decay: float
    lr: float = 0.01
    fused: bool = False
    memory_of: str = ''


def batch(case):
    import numpy
    numpy.random.seed(0)
    shape = (case.batchsize,) + NETS[case.net][2]
    x = numpy.random.uniform(0, 1, shape).astype('f')
    t = numpy.random.randint(0, 10, case.batchsize).astype('i')
    return x, t


def has(net, method, peer):
    """Whether the peer has the network with the method."""
    if net == 'mlp':
        # which has no channels; and Chainer none of its quantizers
        return peer != 'channels_last' and (
            peer != 'stock' or method == 'float')
    return True


def make_peer(case, peer, x, t, weights=None):
    if peer == 'stock':
        import chainer_steps
        return chainer_steps.make_stock_step(case, x, t, weights)
    import torch_peers
    return torch_peers.make_step(case, peer, x, t, weights)


def limit_threads(case, with_ours, with_torch):
    """Limits every side; the limit of BLAS holds while the result lives."""
    import threadpoolctl
    if with_ours:
        from quantized_net import kernels
        kernels.set_threads(case.threads)
    if with_torch:
        import torch
        torch.set_num_threads(case.threads)
    return threadpoolctl.threadpool_limits(case.threads, user_api='blas')


def versions(with_torch):
    """The versions in use, and which form of the kernels."""
    import quantized_net
    from quantized_net.training import versions
    found = versions.versions()
    if with_torch:
        import torch
        found['torch'] = torch.__version__
    config = io.StringIO()
    with contextlib.redirect_stdout(config):
        quantized_net.show_config()
    return found, config.getvalue().strip().replace(str(ROOT) + os.sep, '')


def measure_times(case):
    sys.path.insert(0, str(ROOT))
    with_torch = any(peer != 'stock' for peer in case.peers)
    import quantized_net  # noqa: F401  (before chainer)
    import chainer_steps
    import numpy
    limit = limit_threads(case, True, with_torch)
    x, t = batch(case)
    ours, share, model = chainer_steps.make_step(case, x, t)
    if case.method == 'bnn':
        # where beta is zero, whole numbers meet their mean, and the sign of
        # what is left is that of a rounding error
        for path, param in model.namedparams():
            if path.endswith('/beta'):
                param.array[...] = numpy.random.uniform(
                    -0.1, 0.1, param.shape)
    weights = {path: param.array.copy()
               for path, param in model.namedparams()}
    steps, losses, failures = {'ours': ours}, {'ours': [ours()]}, {}
    for peer in case.peers:
        if not has(case.net, case.method, peer):
            continue
        try:
            step = make_peer(case, peer, x, t, weights)
            losses[peer] = [step()]
        except Exception as e:  # torch.compile may lack its compiler
            if peer != 'compile':
                raise
            failures[peer] = '%s: %s' % (
                type(e).__name__, ' '.join(str(e).split())[:300])
            continue
        difference = abs(losses[peer][0] - losses['ours'][0])
        if not difference <= 1e-3:
            raise AssertionError(
                'the first loss of %s is %g, ours %g: it is not the same '
                'network' % (peer, losses[peer][0], losses['ours'][0]))
        steps[peer] = step
    times = take_turns(steps, losses, case)
    shares = [share() for _ in range(5)]
    del limit
    found, config = versions(with_torch)
    return {'times': times, 'losses': losses, 'failures': failures,
            'share': statistics.median(shares), 'versions': found,
            'kernels': config}


def take_turns(steps, losses, case):
    """The seconds of each step of each side.

    A turn is a few steps of one side.  The one before them is not timed: it
    brings its arrays back to the caches.  The rest between turns lets the
    threads of the side before, which wait for work with the processor busy,
    go to sleep.
    """
    times = {name: [] for name in steps}
    names = list(steps)
    turn = 0
    gc.collect()
    while len(times['ours']) < case.steps:
        # who follows whom changes, too
        first = turn % len(names)
        n = min(case.turn, case.steps - len(times['ours']))
        for name in names[first:] + names[:first]:
            time.sleep(0.05)
            step = steps[name]
            for _ in range(2 if turn == 0 else 1):
                losses[name].append(step())
            # Chainer's convolution takes many times as long
            for _ in range(1 if name == 'stock' else n):
                start = time.perf_counter()
                loss = step()
                times[name].append(time.perf_counter() - start)
                losses[name].append(loss)
        turn += 1
    return times


def measure_memory(case):
    side = case.memory_of
    is_torch = side in ('eager', 'channels_last', 'compile')
    if not is_torch:
        sys.path.insert(0, str(ROOT))
        import quantized_net  # noqa: F401  (before chainer)
    limit = limit_threads(case, not is_torch, is_torch)
    x, t = batch(case)
    if side == 'ours':
        import chainer_steps
        step = chainer_steps.make_step(case, x, t)[0]
    else:
        step = make_peer(case, side, x, t)
    for _ in range(case.steps):
        step()
    del limit
    # KiB on Linux, bytes on macOS
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {'peak': peak * (1 if sys.platform == 'darwin' else 1024)}


def settle_process():
    """As the scripts do, before NumPy is imported."""
    runpy.run_path(str(ROOT / 'quantized_net' / '_process.py'))[
        'settle_process']()


def main():
    # what the frameworks print goes to the log, and our answer is alone
    answer = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)
    case = Case(**json.loads(sys.argv[1]))
    if case.memory_of in ('', 'ours'):
        settle_process()
    result = measure_memory(case) if case.memory_of else measure_times(case)
    answer.write(json.dumps(result) + '\n')
    answer.flush()


if __name__ == '__main__':
    main()
