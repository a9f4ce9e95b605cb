"""ONNX files: they agree with the model, and weights are packed in them."""

import importlib.util
import os

import numpy
import pytest

import quantized_net
from quantized_net import export
from quantized_net import inference
from quantized_net import packed
from quantized_net import packing
from quantized_net.packing import network
from quantized_net.packing import operations
from quantized_net.packing import tensors
import packed_models

# the extra "test" has both, where there are wheels of them
onnx = pytest.importorskip('onnx')
onnxruntime = pytest.importorskip('onnxruntime')


def by_onnxruntime(path, x):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(path), options, providers=['CPUExecutionProvider'])
    return session.run(None, {'images': x})[0]


def by_openvino(path, x):
    import openvino
    compiled = openvino.Core().compile_model(str(path), 'CPU', {
        'INFERENCE_PRECISION_HINT': 'f32'})
    return compiled(x)[0]


RUNTIMES = [by_onnxruntime]
if importlib.util.find_spec('openvino') is not None:  # no extra of ours
    RUNTIMES.append(by_openvino)

CASES = [name for name in packed_models.CASES if not name.startswith('vgg7')]


@pytest.mark.parametrize('name', CASES)
def test_runtimes_agree(name, tmp_path):
    model, shape = packed_models.build(name)
    x = packed_models.images(shape)
    expected = packed_models.outputs(model, x)
    described = packed.describe(model, shape)
    path, plain = tmp_path / 'net.onnx', tmp_path / 'float.onnx'
    size = export.export_onnx(path, described)
    assert size == os.path.getsize(path)
    large = export.export_onnx(plain, described, float_weights=True)
    if any(w in name for w in ('resnet20_t', 'lenet_t', 'bnn', 'mlp_t')):
        assert large > 13 * size
    model_proto = onnx.load(path)
    assert model_proto.opset_import[0].version == 13
    assert {node.domain for node in model_proto.graph.node} == {''}
    for run in RUNTIMES:
        y = run(path, x)
        numpy.testing.assert_allclose(
            y, expected, rtol=0, atol=1e-4 * abs(expected).max())
        numpy.testing.assert_array_equal(y, run(plain, x))
        # any number of images
        assert run(path, x[:1]).shape == (1,) + expected.shape[1:]


def test_weights_are_folded_at_load(tmp_path):
    model, shape = packed_models.build('convnet_ttq')
    path, optimized = tmp_path / 'net.onnx', tmp_path / 'optimized.onnx'
    export.export_onnx(path, model, shape)
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(optimized)
    onnxruntime.InferenceSession(
        str(path), options, providers=['CPUExecutionProvider'])
    kinds = {node.op_type for node in onnx.load(optimized).graph.node}
    assert not kinds & {'Gather', 'Cast', 'Slice'}


def test_of_a_packed_file(tmp_path):
    model, shape = packed_models.build('user')
    x = packed_models.images(shape)
    quantized_net.save_packed(tmp_path / 'net', model, shape)
    export.export_onnx(tmp_path / 'net.onnx', tmp_path / 'net')
    export.export_onnx(tmp_path / 'model.onnx', model, shape)
    assert (tmp_path / 'net.onnx').read_bytes() == (
        tmp_path / 'model.onnx').read_bytes()
    numpy.testing.assert_allclose(
        by_onnxruntime(tmp_path / 'net.onnx', x),
        quantized_net.load_packed(tmp_path / 'net')(x), 1e-4, 1e-6)


def special_numbers():
    """Around every place where rounding to a power of two changes."""
    x = [0., -0.]
    for e in range(-130, 12):
        for m in (1., 2 ** .5, 1 + 0x3504f4 / 2 ** 23):
            v = numpy.float32(m * 2. ** e)
            x += [v, numpy.nextafter(v, numpy.float32(0)),
                  numpy.nextafter(v, numpy.float32(9e9))]
    x = numpy.array(x, 'f')
    x = numpy.concatenate([x, -x, numpy.array(
        [.125, .25, .375, .5, .625, 1e30, 2.5, 3.5], 'f')])
    # runtimes may take subnormal numbers for 0
    return x[(abs(x) >= 2. ** -126) | (x == 0)]


OPERATIONS = [
    ('round_to_powers', {}), ('round_to_powers', {'highest': 3}),
    ('round_to_powers', {'lowest': -6, 'highest': -2}),
    ('round_to_powers', {'lowest': 1, 'highest': 1}),
    ('round_to_steps', {'step': .25, 'low': -1., 'high': .75}),
    ('round_to_parts', {'n': 3}),
    ('round_to_fixed_point', {'il': 2, 'fl': 3}),
    ('sign', {}), ('relu', {}), ('leaky_relu', {'slope': .3}),
    ('clip', {'low': -.5, 'high': .25}), ('sigmoid', {}), ('tanh', {}),
    ('hard_sigmoid', {}), ('add_constant', {'value': .3}),
    ('multiply_constant', {'value': .3})]


@pytest.mark.parametrize('kind,attributes', OPERATIONS)
def test_numbers_one_by_one(kind, attributes, tmp_path):
    x = special_numbers()[None]
    net = network.Network(
        x.shape[1:], [operations.make(kind, [0], **attributes)], {})
    export.export_onnx(tmp_path / 'net.onnx', net)
    expected = inference.Predictor(net)(x)
    y = by_onnxruntime(tmp_path / 'net.onnx', x)
    if kind.startswith('round') or kind in ('sign', 'clip'):
        numpy.testing.assert_array_equal(y, expected)
    else:
        numpy.testing.assert_allclose(y, expected, 1e-5, 1e-6)


WINDOWS = []
for kernel in ([1, 1], [2, 2], [3, 2]):
    for stride in ([1, 1], [2, 3], [4, 1]):
        for pad in ([0, 0], [0, 1], [2, 1]):
            if pad[0] < kernel[0] and pad[1] < kernel[1]:
                window = {'kernel': kernel, 'stride': stride, 'pad': pad}
                WINDOWS += [('max_pooling', dict(window, cover_all=c))
                            for c in (True, False)]
                WINDOWS.append(('average_pooling', window))


@pytest.mark.parametrize('kind,attributes', WINDOWS + [
    ('mean', {'axes': [2, 3]}), ('sum', {'axes': [1], 'keepdims': True}),
    ('max', {'axes': [1, 3]}), ('transpose', {'axes': [3, 1, 2]}),
    ('reshape', {'shape': [7, 24]}), ('softmax', {'axis': 3}),
    ('log_softmax', {}),
    ('pad', {'widths': [[1, 2], [0, 0], [3, 0]], 'value': .5})])
def test_shapes(kind, attributes, tmp_path):
    x = packed_models.images((4, 6, 7), 2) - .5
    net = network.Network(
        x.shape[1:], [operations.make(kind, [0], **attributes)], {})
    export.export_onnx(tmp_path / 'net.onnx', net)
    # of a window that is all outside Chainer says -inf, onnxruntime this or
    # the lowest float
    expected, y = [numpy.maximum(found, numpy.finfo('f').min) for found in (
        inference.Predictor(net)(x),
        by_onnxruntime(tmp_path / 'net.onnx', x))]
    numpy.testing.assert_allclose(y, expected, 1e-5, 1e-6)


@pytest.mark.parametrize('attributes', [
    {'stride': [2, 3], 'pad': [1, 0]}, {'dilate': [2, 1], 'pad': [2, 2]},
    {'groups': 2}, {'stride': [3, 2], 'cover_all': True},
    {'stride': [1, 1], 'pad': [3, 4]}])
def test_convolutions(attributes, tmp_path):
    x = packed_models.images((4, 8, 9), 2)
    W = tensors.FloatTensor(packed_models.images(
        (4 // attributes.get('groups', 1), 3, 2), 8))
    net = network.Network(x.shape[1:], [operations.make(
        'convolution', [0], {'W': 'W'}, **attributes)], {'W': W})
    export.export_onnx(tmp_path / 'net.onnx', net)
    numpy.testing.assert_allclose(
        by_onnxruntime(tmp_path / 'net.onnx', x),
        inference.Predictor(net)(x), 1e-4, 1e-5)


CODEBOOKS = {
    'bits1': packing.Codebook.table(numpy.array([.3, -.7], 'f')),
    'base3': packing.Codebook.table(numpy.array([0, -.3, .7], 'f')),
    'bits2': packing.Codebook.table(numpy.array([0, -.3, .7, 1], 'f')),
    'bits3': packing.Codebook.uniform(-.3, .1, 7),
    'bits5': packing.Codebook.powers(-6, 3),
    'bits16': packing.Codebook.uniform(-1, 2. ** -15, 1 << 16),
    'bits14, odd': packing.Codebook.uniform(-.3, .0001, 9000),
    'rows': packing.Codebook.table(
        numpy.arange(21, dtype='f').reshape(7, 3)),
    'whole runs': packing.Codebook.table(
        numpy.arange(39, dtype='f').reshape(13, 3), run=7),
    'runs': packing.Codebook.table(
        numpy.arange(9, dtype='f').reshape(3, 3), run=31),
}


@pytest.mark.parametrize('name', CODEBOOKS)
def test_codings(name, tmp_path):
    codebook = CODEBOOKS[name]
    codes = numpy.random.RandomState(0).randint(
        0, len(codebook), (7, 13))
    W = tensors.PackedTensor.of_codes(codes, codebook)
    net = network.Network(
        (13,), [operations.make('linear', [0], {'W': 'W'})], {'W': W})
    export.export_onnx(tmp_path / 'net.onnx', net)
    # the weights themselves, one input at a time
    numpy.testing.assert_array_equal(
        by_onnxruntime(tmp_path / 'net.onnx', numpy.eye(13, dtype='f')),
        W.values.T)


def test_errors(tmp_path, monkeypatch):
    model, shape = packed_models.build('user')
    with pytest.raises(quantized_net.UserError, match='input_shape'):
        export.export_onnx(tmp_path / 'x', model)
    with pytest.raises(quantized_net.UserError, match='can not be written'):
        export.export_onnx(tmp_path / 'no' / 'x', model, shape)
    with pytest.raises(quantized_net.UserError, match='can not be read'):
        export.export_onnx(tmp_path / 'x', str(tmp_path / 'nothing'))
    monkeypatch.setitem(__import__('sys').modules, 'onnx', None)
    with pytest.raises(quantized_net.UserError, match='pip install onnx'):
        export.export_onnx(tmp_path / 'x', model, shape)
