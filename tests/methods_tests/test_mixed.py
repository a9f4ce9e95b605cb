"""A method for each layer, out of a file."""

import argparse
import json

from chainer import links as L
import numpy
import pytest

from quantized_net import errors
from quantized_net import methods
from quantized_net import models
from quantized_net import optimizers
from quantized_net import quantizers
from quantized_net.training import layer_file

TOML = '''
[layers.conv1]
method = "float"

[layers."conv*"]
method = "inq"
bits = 3
portions = [0.5, 1.0]

[layers.fc]
method = "ttq"
threshold = 0.2
scales = "relative"
'''


def write(tmp_path, text, name='layers.toml'):
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def options_of(layers, **values):
    return argparse.Namespace(**{
        **dict(layers=layers, epoch=4, clip='none'), **values})


def test_a_network_gets_what_the_file_says(tmp_path):
    method = methods.get('mixed')
    args = options_of(layer_file.read(write(tmp_path, TOML)))
    method.check(args)
    model = L.Classifier(models.ConvNet())
    report = method.quantize(model.predictor, args)
    assert [row.action.split(':')[0] for row in report] == [
        'left float', 'quantized', 'quantized']
    conv, fc = model.predictor.conv2, model.predictor.fc
    assert isinstance(conv.weight_quantizer, quantizers.INQ)
    assert conv.weight_quantizer.bits == 3
    assert isinstance(fc.weight_quantizer, quantizers.TTQ)
    assert fc.weight_quantizer.threshold == .2
    assert fc.weight_quantizer.relative
    assert method.restarts(args) == [0]
    names = [type(e).__name__ for e in method.extensions(model, '', args)]
    assert sorted(names) == ['FreezePortions', 'PlotTernary', 'TernaryReport']
    optimizer = optimizers.MomentumSGD(.1).setup(model)
    method.set_up(optimizer, args)
    conv.weight_quantizer.freeze(conv.W.array, .5)
    before = [param.array.copy() for param in model.params()]
    optimizer.update(model, numpy.random.uniform(
        size=(4, 1, 28, 28)).astype('f'), numpy.arange(4).astype('i'))
    assert all((param.array != old).any()
               for param, old in zip(model.params(), before)
               if not param.name == 'b')


def test_the_order_of_the_file_counts(tmp_path):
    text = TOML.replace('[layers.conv1]\nmethod = "float"\n', '')
    pairs = layer_file.read(write(tmp_path, text))
    model = models.ConvNet()
    methods.get('mixed').quantize(model, options_of(pairs))
    assert isinstance(model.conv1.weight_quantizer, quantizers.INQ)
    assert [pattern for pattern, _ in pairs] == ['conv*', 'fc']
    assert json.loads(json.dumps(pairs)) == pairs


def test_args_of_a_run_serve_too(tmp_path):
    pairs = layer_file.read(write(tmp_path, TOML))
    path = write(tmp_path, json.dumps({'layers': pairs}), 'args.json')
    assert layer_file.read(path) == pairs


@pytest.mark.parametrize('text,message', [
    ('[layers', 'layers.toml'), ('a = 1', "no 'layers'"),
    ('layers = 3', 'layers.toml'), ('[layers]', 'no layers'),
    ('[layers.fc]\nbits = 3', 'layer fc has no method'),
    ('b = 1\n[layers.fc]\nmethod = "ttq"', 'what is b'),
    ('# ' + 'x' * (1 << 20), '1 MB'), ('layers = "\ufffd', 'layers.toml')])
def test_files_that_say_nothing(tmp_path, text, message):
    with pytest.raises(argparse.ArgumentTypeError, match=message):
        layer_file.read(write(tmp_path, text))


@pytest.mark.parametrize('content', [
    b'\xff\xfe', b'{}', b'[1]', b'{"layers": [[1, 2]]}',
    b'{"layers": null}', b'[' * 100000])
def test_json_that_says_nothing(tmp_path, content):
    path = tmp_path / 'args.json'
    path.write_bytes(content)
    with pytest.raises(argparse.ArgumentTypeError, match='args.json'):
        layer_file.read(str(path))
    with pytest.raises(argparse.ArgumentTypeError, match='No such file'):
        layer_file.read(str(tmp_path / 'nothing.toml'))


@pytest.mark.parametrize('table,message', [
    ({'method': 'ttq', 'threshold': 2.}, 'threshold'),
    ({'method': 'ttq', 'bits': 2}, 'layers fc: unrecognized'),
    ({'method': 'xnor'}, 'unknown method'),
    ({'method': 'points'}, 'for a whole network'),
    ({'method': 'mixed'}, 'for a whole network'),
    ({'method': 'inq', 'bits': 'many'}, 'layers fc: argument --bits')])
def test_what_is_refused(table, message):
    with pytest.raises(errors.UserError, match=message):
        methods.get('mixed').check(options_of([['fc', table]]))
    with pytest.raises(errors.UserError, match='needs --layers'):
        methods.get('mixed').check(options_of(None))


def test_a_pattern_that_matches_nothing():
    with pytest.raises(errors.UserError, match="'conv9' matches no layer"):
        methods.get('mixed').quantize(
            models.ConvNet(), options_of([['conv9', {'method': 'twn'}]]))
