#!/usr/bin/env python3
"""Latency and size of a packed network beside other engines, in one run.

    python benchmarks/inference.py net.safetensors
    python benchmarks/inference.py bnn.safetensors --float mlp.safetensors \\
        --pixels --batch 1 100 --threads 1 2 --out results/deploy/mnist_bnn

The peers get the network of ``--float`` (default: the same) with float32
weights, as ONNX or in PyTorch; ``int8`` is onnxruntime's own static
quantization of it.  Calls take turns, so that a slow moment of the machine,
and what another side left in the caches, hits all.  A ratio below 1 means
that quantized_net is faster; its base is named in the column.

Peers: ort and int8 (onnxruntime), openvino, which chooses its own precision,
openvino-f32, torch, channels_last, compile.  Those that are not installed are
left out, and said so.
"""

import argparse
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PEERS = ('ort', 'int8', 'openvino', 'openvino-f32', 'torch', 'channels_last',
         'compile')


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('file', help='packed network')
    parser.add_argument('--float', dest='float_file', metavar='FILE',
                        help='packed float network of the peers')
    parser.add_argument('--peers', nargs='+', choices=PEERS, default=PEERS)
    parser.add_argument('--batch', type=int, nargs='+', default=[1, 8, 64])
    parser.add_argument('--threads', type=int, nargs='+', default=[1])
    parser.add_argument('--rounds', type=int, default=50)
    parser.add_argument('--seconds', type=float, default=20.,
                        help='the most for a batch size (default: 20)')
    parser.add_argument('--images', metavar='NPY',
                        help='8-bit pixels to predict, shape (N, ...); at '
                        'random, if not')
    parser.add_argument('--pixels', action='store_true',
                        help='give us the pixels, and the peers floats')
    parser.add_argument('--flush', action='store_true',
                        help='64 MB are written before each call: cold')
    parser.add_argument('--out', help='folder of the table and the times')
    args = parser.parse_args()
    if min(args.batch + args.threads + [args.rounds]) < 1:
        parser.error('--batch, --threads and --rounds are at least 1')
    return args


def onnxruntime_side(path, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(path), options, providers=['CPUExecutionProvider'])
    name = session.get_inputs()[0].name
    return lambda x: session.run(None, {name: x})[0]


def int8_of(path, images, folder):
    """onnxruntime's static quantization, calibrated on some images."""
    import logging

    import onnxruntime
    from onnxruntime import quantization

    logging.getLogger().setLevel(logging.ERROR)
    name = onnxruntime.InferenceSession(
        str(path), providers=['CPUExecutionProvider']).get_inputs()[0].name

    class Reader(quantization.CalibrationDataReader):
        parts = iter([{name: images[i:i + 8]}
                      for i in range(0, min(len(images), 64), 8)])

        def get_next(self):
            return next(self.parts, None)

    to = folder / 'int8.onnx'
    quantization.quantize_static(
        str(path), str(to), Reader(), per_channel=True,
        quant_format=quantization.QuantFormat.QDQ)
    return to


def openvino_side(path, threads, precision):
    import openvino
    core = openvino.Core()
    settings = {'INFERENCE_NUM_THREADS': threads,
                'PERFORMANCE_HINT': 'LATENCY'}
    if precision:
        settings['INFERENCE_PRECISION_HINT'] = precision
    request = core.compile_model(
        core.read_model(str(path)), 'CPU', settings).create_infer_request()

    def run(x):
        return next(iter(request.infer({0: x}).values()))
    return run


def torch_side(network, threads, peer):
    import torch
    from torch.nn import functional as F
    from quantized_net.packing import operations
    torch.set_num_threads(threads)
    arrays = {name: torch.tensor(tensor.values)
              for name, tensor in network.tensors.items()}

    def by_channel(x, row):
        return row.reshape((-1,) + (1,) * (x.ndim - 2))

    def pool(function, x, a, **options):
        return function(x, tuple(a['kernel']), tuple(a['stride']),
                        tuple(a['pad']), **options)

    forms = {
        'convolution': lambda x, a, t: F.conv2d(
            x[0], t['W'], t.get('b'), tuple(a['stride']), tuple(a['pad']),
            tuple(a['dilate']), a['groups']),
        'linear': lambda x, a, t: F.linear(
            x[0].flatten(1), t['W'], t.get('b')),
        'scale_shift': lambda x, a, t: x[0] * by_channel(
            x[0], t['factors'][0]) + by_channel(x[0], t['factors'][1]),
        'normalization': lambda x, a, t: (x[0] - by_channel(
            x[0], t['factors'][0])) * by_channel(
                x[0], t['factors'][1]) + by_channel(x[0], t['factors'][2]),
        'relu': lambda x, a, t: F.relu(x[0]),
        'sign': lambda x, a, t: torch.where(x[0] >= 0, 1., -1.),
        'add': lambda x, a, t: x[0] + x[1],
        'mean': lambda x, a, t: x[0].mean(a['axes'], keepdim=a['keepdims']),
        'max_pooling': lambda x, a, t: pool(
            F.max_pool2d, x[0], a, ceil_mode=a['cover_all']),
        'average_pooling': lambda x, a, t: pool(F.avg_pool2d, x[0], a),
        'pad': lambda x, a, t: F.pad(
            x[0], [n for pair in a['widths'][::-1] for n in pair]),
        'reshape': lambda x, a, t: x[0].reshape(len(x[0]), *a['shape']),
    }
    planned = [(forms[step.kind], step.inputs, operations.attributes_of(step),
                {role: arrays[name] for role, name in step.tensors.items()})
               for step in network.steps]

    def forward(x):
        values = [x]
        for form, inputs, attributes, tensors in planned:
            values.append(form([values[i] for i in inputs], attributes,
                               tensors))
        return values[-1]

    if peer == 'channels_last':
        if len(network.input_shape) != 3:
            raise ImportError('no images')
        for step in network.steps:
            if step.kind == 'convolution':
                name = step.tensors['W']
                arrays[name].data = arrays[name].to(
                    memory_format=torch.channels_last)
    called = torch.compile(forward, dynamic=False) if (
        peer == 'compile') else forward

    def run(x):
        with torch.inference_mode():
            x = torch.from_numpy(x)
            if peer == 'channels_last':
                x = x.to(memory_format=torch.channels_last)
            return called(x).numpy()
    return run


def make_peer(peer, network, path, threads, images, folder):
    if peer in ('ort', 'int8'):
        if peer == 'int8':
            path = int8_of(path, images, folder)
        return onnxruntime_side(path, threads)
    if peer.startswith('openvino'):
        return openvino_side(
            path, threads, 'f32' if peer.endswith('f32') else None)
    return torch_side(network, threads, peer)


def measure(sides, rounds, seconds, flush):
    """Medians and quartiles of each side's calls, in milliseconds."""
    import numpy
    times = {name: [] for name in sides}
    for run in sides.values():
        run()
        run()
    dirt = numpy.zeros(16 << 20, 'f')
    start = time.perf_counter()
    for _ in range(rounds):
        for name, run in sides.items():
            if flush:
                dirt += 1
            before = time.perf_counter()
            run()
            times[name].append(1e3 * (time.perf_counter() - before))
        if time.perf_counter() - start > seconds:
            break
    return times


def load_images(args, network):
    import numpy
    if args.images is None:
        rng = numpy.random.RandomState(0)
        return rng.randint(
            0, 256, (max(args.batch),) + network.input_shape).astype('uint8')
    images = numpy.load(args.images).reshape((-1,) + network.input_shape)
    if len(images) < max(args.batch) or images.dtype != numpy.uint8:
        sys.exit('%s: too few images, or no 8-bit pixels' % args.images)
    return images


def main():
    args = parse_args()
    for name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS'):
        os.environ[name] = str(max(args.threads))
    sys.path.insert(0, str(HERE.parent))
    import step_case
    import train_step
    import quantized_net
    from quantized_net import inference
    from quantized_net import kernels
    from quantized_net.export import export_onnx
    from quantized_net.packing import file

    quantized_net.settle_process()
    network = file.read(args.file).network
    peers_network = file.read(args.float_file or args.file).network
    predictor = inference.Predictor(network)
    images = load_images(args, network)
    floats = inference.Predictor(peers_network)._inputs(images) if (
        peers_network.pixels) else images.astype('f')
    lines, results = [], []

    def say(line):
        print(line, flush=True)
        lines.append(line)

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        path = folder / 'float.onnx'
        n_bytes = export_onnx(path, peers_network, float_weights=True)
        say('Predictions: medians, milliseconds; ratio = quantized_net / peer'
            '%s' % ('; caches flushed before each call' if args.flush else ''))
        say(train_step.processor())
        for line in train_step.software(*step_case.versions(False)):
            say(line)
        say('packed file %d bytes, float ONNX %d (%.1f times as large)' % (
            os.path.getsize(args.file), n_bytes,
            n_bytes / os.path.getsize(args.file)))
        say('%7s %5s %9s' % ('threads', 'batch', 'ours') + ''.join(
            '%22s' % peer for peer in args.peers))
        for threads in args.threads:
            kernels.set_threads(threads)
            runs, why = {}, {}
            for peer in args.peers:
                try:
                    runs[peer] = make_peer(
                        peer, peers_network, path, threads, floats, folder)
                except (ImportError, KeyError) as e:
                    why[peer] = str(e)
            for batch in args.batch:
                x = images[:batch] if args.pixels else floats[:batch]
                y = floats[:batch]
                sides = {'ours': lambda x=x: predictor(x)}
                sides.update((peer, lambda run=run, y=y: run(y))
                             for peer, run in runs.items())
                times = measure(
                    sides, args.rounds, args.seconds, args.flush)
                ours = statistics.median(times['ours'])
                cells = []
                for peer in args.peers:
                    if peer in times:
                        median = statistics.median(times[peer])
                        cells.append('%9.3f ratio %5.2f ' % (
                            median, ours / median))
                    else:
                        cells.append('%22s' % '-')
                say('%7d %5d %9.3f' % (threads, batch, ours) + ''.join(cells))
                results.append({'threads': threads, 'batch': batch,
                                'milliseconds': times})
            for peer, reason in why.items():
                say('  without %s: %s' % (peer, reason))
        say('')
        say(predictor.explain(args.pixels))
    if args.out:
        out = pathlib.Path(args.out)
        out.mkdir(parents=True, exist_ok=True)
        (out / 'table.txt').write_text('\n'.join(lines) + '\n')
        (out / 'times.json').write_text(json.dumps(results))


if __name__ == '__main__':
    main()
