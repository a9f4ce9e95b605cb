#!/usr/bin/env python3
"""Compares every form of trained networks on a whole test set.

    check_predictions.py DATA_DIR RUN [RUN ...]

Each RUN is the folder of a run.  Its model in test mode is the base; the
predictor of its packed file, a float model that the file was loaded into,
the NumPy predictor with BatchNormalization kept, and its ONNX file in
onnxruntime and, where it is installed, OpenVINO are compared with it: images
whose class is another, with the distance of the two largest scores there,
and the largest difference of a score.
"""

import os
import sys
import tempfile

import quantized_net
import chainer
import numpy

from quantized_net import export
from quantized_net import text_table
from quantized_net.commands import predict
from quantized_net.training import trained

N = 250  # images at a time


def scores_of(f, images):
    return numpy.concatenate([
        f(images[i:i + N]) for i in range(0, len(images), N)])


def by_model(model):
    def f(x):
        with chainer.using_config('train', False), (
                chainer.no_backprop_mode()):
            return model(x).array
    return f


def by_onnxruntime(path):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        path, options, providers=['CPUExecutionProvider'])
    return lambda x: session.run(None, {'images': x})[0]


def by_openvino(path):
    import openvino
    compiled = openvino.Core().compile_model(path, 'CPU', {
        'INFERENCE_PRECISION_HINT': 'f32', 'INFERENCE_NUM_THREADS': 1})
    return lambda x: compiled(x)[0]


def check(run, data_dir, folder):
    """Rows of the table for a run; whether all agree."""
    found = trained.load(run)
    pixels = found.pixels(data_dir)
    kept, packed, onnx = [os.path.join(folder, name) for name in (
        'kept.safetensors', 'packed.safetensors', 'net.onnx')]
    quantized_net.save_packed(
        kept, found.model, found.input_shape, fold=False, pixels=pixels)
    size = quantized_net.save_packed(
        packed, found.model, found.input_shape, pixels=pixels)
    onnx_size = export.export_onnx(onnx, packed)
    predictor = quantized_net.load_packed(packed)
    _, images, labels = predict._test_images(
        predictor.network, found.args['dataset'], data_dir)
    x = images if images.dtype != numpy.uint8 else predictor._inputs(images)
    forms = [('predictor, %d bytes' % size, predictor),
             ('predictor, BatchNormalization kept',
              quantized_net.load_packed(kept)),
             ('onnxruntime, %d bytes' % onnx_size, by_onnxruntime(onnx))]
    try:
        forms.append(('OpenVINO', by_openvino(onnx)))
    except ImportError:
        print('OpenVINO is not installed: left out')
    base = scores_of(by_model(found.model), x)
    classes = base.argmax(axis=1)
    rows = [(run, 'model in test mode', '%.2f' % (
        100 * (classes == labels).mean()), '', '', '')]
    again = trained.load(run).model
    quantized_net.load_packed(packed, into=again)
    forms.append(('packed file in the model', by_model(again)))
    n_other = 0
    for name, f in forms:
        y = scores_of(f, x)
        other = numpy.flatnonzero(y.argmax(axis=1) != classes)
        n_other += len(other)
        best = numpy.sort(base, axis=1)
        rows.append(('', name, '%.2f' % (
            100 * (y.argmax(axis=1) == labels).mean()), '%d' % len(other),
            '%.1e' % (abs(y - base).max() / abs(base).max()),
            ' '.join('%d (%.1e)' % (i, best[i, -1] - best[i, -2])
                     for i in other)))
    return rows, n_other


def main(data_dir, *runs):
    table = [('run', 'computed by', 'accuracy %', 'other classes',
              'largest difference', 'which (distance)')]
    n_other = 0
    with tempfile.TemporaryDirectory() as folder:
        for run in runs:
            rows, n = check(run, data_dir, folder)
            table += rows
            n_other += n
    print('\n'.join(line.rstrip() for line in text_table.lay_out(
        table, n_left=2)))
    print('\ndifferences are relative to the largest score; %d predictions '
          'are of another class' % n_other)


if __name__ == '__main__':
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
