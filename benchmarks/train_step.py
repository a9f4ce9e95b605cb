#!/usr/bin/env python3
"""Time of one training step beside PyTorch, in one run.

    python benchmarks/train_step.py
    python benchmarks/train_step.py --nets resnet20 --peers eager compile \\
        --threads 1 2 --memory --out results/speed/step

Each side trains the same network with the same method on the same random
batch, from the same weights: Adam for the MLP (784-units-units-10 with
BatchNormalization, and a weight clip) and the convnet, momentum SGD with
weight decay for the others.  The first losses have to agree.  Their steps
take turns, so that a slow moment of the machine hits all.  A ratio below 1
means that quantized_net is faster.

Peers: PyTorch eager, the same in channels_last, the same with torch.compile
around the network and its loss, and stock, which is Chainer's own links.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

import step_case

HERE = pathlib.Path(__file__).resolve().parent

METHODS = ('float', 'bnn', 'qnn', 'ttq', 'twn')


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--nets', nargs='+', default=['mlp'],
                        choices=list(step_case.NETS))
    parser.add_argument('--methods', nargs='+', choices=METHODS,
                        help='those that the network has, by default')
    parser.add_argument('--peers', nargs='+', default=['eager'],
                        choices=step_case.PEERS)
    parser.add_argument('--threads', type=int, nargs='+', default=[1])
    parser.add_argument('--steps', type=int,
                        help='steps that are timed, of each side; from 300 '
                             'for the MLP to 10 for VGG7, by default')
    parser.add_argument('--turn', type=int, default=5,
                        help='how many steps of a side follow each other')
    parser.add_argument('--batchsize', type=int,
                        help='128 for the ResNets, else 100, by default')
    parser.add_argument('--unit', type=int, default=1000,
                        help='width of the MLP')
    parser.add_argument('--fused', action='store_true',
                        help='give PyTorch its fused optimizers, which are '
                             'not its default')
    parser.add_argument('--memory', action='store_true',
                        help='also the peak memory of each side, each in a '
                             'process of its own')
    parser.add_argument('--out', help='folder for the table, a picture of '
                        'the ratios, and the times of every step')
    args = parser.parse_args()
    for name in ('steps', 'turn', 'batchsize', 'unit'):
        value = getattr(args, name)
        if value is not None and value < 1:
            parser.error('--%s must be at least 1' % name)
    if min(args.threads) < 1:
        parser.error('--threads must be at least 1')
    return args


def make_cases(args):
    cases = []
    for net in args.nets:
        methods, batchsize, _, optimizer, decay, steps = step_case.NETS[net]
        for method in methods:
            if args.methods and method not in args.methods:
                continue
            for threads in args.threads:
                cases.append(step_case.Case(
                    net, method, threads, args.peers, args.steps or steps,
                    args.turn, args.batchsize or batchsize, args.unit,
                    optimizer, decay, fused=args.fused))
    return cases


def run(case):
    """The answer of step_case.py, or an error that says why there is none."""
    environment = dict(os.environ)
    for name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS',
                 'MKL_NUM_THREADS'):
        environment[name] = str(case.threads)
    done = subprocess.run(
        [sys.executable, str(HERE / 'step_case.py'),
         json.dumps(dataclasses.asdict(case))],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return {'error': lines[-1] if lines
                else 'exit status %d' % done.returncode}
    return json.loads(done.stdout.splitlines()[-1])


def measure_memory(case):
    sides = ['ours'] + [peer for peer in case.peers if step_case.has(
        case.net, case.method, peer)]
    # the peak is reached in the first steps
    return {side: run(dataclasses.replace(case, memory_of=side, steps=5))
            for side in sides}


def processor():
    try:
        with open('/proc/cpuinfo') as f:
            for line in f:
                if line.startswith('model name'):
                    return line.split(':', 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


# The table -----------------------------------------------------------------

def header(args, results):
    known = [r for r in results if 'versions' in r]
    lines = ['One training step: medians, milliseconds; ratio = '
             'quantized_net / peer']
    count = len(os.sched_getaffinity(0)) if hasattr(
        os, 'sched_getaffinity') else os.cpu_count()
    lines.append('%s, %d processors' % (processor(), count))
    if known:
        lines += software(known[0]['versions'], known[0]['kernels'])
    lines.append("PyTorch's optimizers: %s; steps follow each other %d at a "
                 'time' % ('fused' if args.fused else 'its default forms',
                           args.turn))
    return lines


def software(versions, kernels):
    return [', '.join('%s %s' % item for item in versions.items()), kernels]


def columns(args):
    names = ['%-8s %5s %-6s %7s %9s' % (
        'net', 'batch', 'method', 'threads', 'ours')]
    names += ['%26s' % peer for peer in args.peers]
    return ' '.join(names + ['%10s' % 'quantizing'])


def row(result):
    case = result['case']
    start = '%-8s %5d %-6s %7d' % (
        case['net'], case['batchsize'], case['method'], case['threads'])
    if 'error' in result:
        return '%s   failed: %s' % (start, result['error'])
    cells = ['%9.2f' % result['medians']['ours']]
    for peer in case['peers']:
        if peer in result['ratios']:
            ratio = result['ratios'][peer]
            cells.append('%9.2f ratio %5.2f %-4s' % (
                result['medians'][peer], ratio,
                'win' if ratio < 1 else 'loss'))
        else:
            cells.append('%26s' % (
                'failed' if peer in result['failures'] else 'not there'))
    cells.append('%9.1f%%' % (100 * result['share']))
    return ' '.join([start] + cells)


def memory_row(result):
    case, memory = result['case'], result['memory']
    start = '%-8s %5d %-6s %7d' % (
        case['net'], case['batchsize'], case['method'], case['threads'])
    ours = memory['ours'].get('peak')
    if ours is None:
        return '%s   failed: %s' % (start, memory['ours']['error'])
    cells = ['%9.0f' % (ours / 2 ** 20)]
    for peer in case['peers']:
        peak = memory.get(peer, {}).get('peak')
        cells.append('%26s' % 'not there' if peak is None else (
            '%9.0f ratio %5.2f %-4s' % (
                peak / 2 ** 20, ours / peak,
                'win' if ours < peak else 'loss')))
    return ' '.join([start] + cells).rstrip()


def notes(results):
    seen = []
    for result in results:
        for peer, reason in result.get('failures', {}).items():
            line = '%s failed: %s' % (peer, reason)
            if line not in seen:
                seen.append(line)
    return seen


def summarize(case, result):
    """Adds the medians (milliseconds) and the ratios."""
    result['case'] = dataclasses.asdict(case)
    if 'error' in result:
        return result
    result['medians'] = {
        name: statistics.median(times) * 1e3
        for name, times in result['times'].items()}
    ours = result['medians']['ours']
    result['ratios'] = {
        name: ours / value for name, value in result['medians'].items()
        if name != 'ours'}
    return result


# The picture ---------------------------------------------------------------

_COLORS = ('#1f5fa8', '#d1495b', '#7a8b99', '#edae49')


def draw(results, peers, path, title):
    """Bars of the ratios: a panel for each number of threads."""
    from matplotlib import figure
    from matplotlib.backends import backend_agg

    results = [r for r in results if 'ratios' in r]
    numbers = sorted({r['case']['threads'] for r in results})
    most = max(sum(r['case']['threads'] == n for r in results)
               for n in numbers)
    picture = figure.Figure(
        figsize=(max(6.4, 1.5 + .8 * most), .6 + 3 * len(numbers)), dpi=120,
        layout='constrained')
    backend_agg.FigureCanvasAgg(picture)
    panels = picture.subplots(len(numbers), squeeze=False)[:, 0]
    width = .8 / len(peers)
    for axes, n in zip(panels, numbers):
        rows = [r for r in results if r['case']['threads'] == n]
        for i, peer in enumerate(peers):
            points = [(j + width * (i + .5) - .4, r['ratios'][peer])
                      for j, r in enumerate(rows) if peer in r['ratios']]
            if points:
                axes.bar(*zip(*points), width=.92 * width, label=peer,
                         color=_COLORS[i % len(_COLORS)])
        axes.axhline(1, color='black', linewidth=1)
        axes.set_xticks(range(len(rows)), [
            '%s\n%s' % (r['case']['net'], r['case']['method'])
            for r in rows], fontsize=8)
        axes.set_ylabel('time / time of the peer')
        axes.set_title('%d thread%s' % (n, 's' * (n > 1)), fontsize=10)
        axes.grid(axis='y', color='#dddddd', linewidth=.6)
        axes.set_axisbelow(True)
        axes.spines[['top', 'right']].set_visible(False)
        axes.margins(y=.12)
    panels[0].legend(frameon=False, fontsize=8, ncols=len(peers))
    picture.suptitle(title, fontsize=10)
    picture.savefig(path, format='png')


def write(folder, lines, results):
    """Writes the table and the times; again after each case.

    Nothing heavy is imported here: what this process holds in memory counts
    as the peak of those that it starts.
    """
    os.makedirs(folder, exist_ok=True)
    value = {'processor': processor(), 'argv': sys.argv[1:],
             'cases': results}
    for name, text in (('train_step.txt', '\n'.join(lines) + '\n'),
                       ('train_step.json', json.dumps(value) + '\n')):
        path = os.path.join(folder, name)
        with open(path + '.tmp', 'w') as f:
            f.write(text)
        os.replace(path + '.tmp', path)


def main():
    args = parse_args()
    cases = make_cases(args)
    if not cases:
        sys.exit('no network of these has one of these methods')
    results, lines = [], []

    def say(line):
        print(line, flush=True)
        lines.append(line)

    for case in cases:
        result = summarize(case, run(case))
        results.append(result)
        if len(results) == 1:
            for line in header(args, results) + ['', columns(args)]:
                say(line)
        say(row(result))
        if args.out:
            write(args.out, lines, results)
    for line in notes(results):
        say(line)
    if args.memory:
        say('')
        say('Peak resident memory of each side alone, MiB; ratio = '
            'quantized_net / peer')
        say(columns(args).replace('quantizing', '').rstrip())
        for case, result in zip(cases, results):
            result['memory'] = measure_memory(case)
            say(memory_row(result))
            if args.out:
                write(args.out, lines, results)
    if args.out:
        write(args.out, lines, results)
        if any('ratios' in result for result in results):
            draw(results, args.peers,
                 os.path.join(args.out, 'train_step.png'),
                 'One training step of quantized_net, %s' % processor())
    if any('error' in result for result in results):
        sys.exit(1)


if __name__ == '__main__':
    main()
