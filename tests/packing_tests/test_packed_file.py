"""save_packed and load_packed: there and back, and what is refused."""

import base64
import copy
import hashlib
import json
import os
import pickle

import chainer
from chainer import links as L
import numpy
import pytest
import safetensors.numpy

import quantized_net
from quantized_net import inference
from quantized_net import models
from quantized_net import quantizers
from quantized_net.packing import file
from quantized_net.packing import header
from quantized_net.packing import tensors
import packed_models


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """Path of a packed file, its images and what it says of them."""
    path = tmp_path_factory.mktemp('packed') / 'user.safetensors'
    model, shape = packed_models.build('user')
    quantized_net.save_packed(path, model, shape)
    x = packed_models.images(shape)
    return path, x, packed_models.outputs(model, x)


KEPT = 'resnet8_odd_ttq', 'user', 'rows', 'mlp_bnn', 'chainer_vgg'


# What a file says that a model of other weights has no place for.
NO_INTO = {'convnet_lsq': 'round_to_steps high=.* here it is',
           'mlp_lsq': 'round_to_steps high=.* here it is',
           'mlp_shift_bnn': 'no place for factors'}


@pytest.mark.parametrize('name,fold', [
    (name, True) for name in packed_models.CASES] + [
        (name, False) for name in KEPT])
def test_there_and_back(name, fold, tmp_path):
    model, shape = packed_models.build(name)
    x = packed_models.images(shape)
    expected = packed_models.outputs(model, x)
    path = str(tmp_path / 'net.safetensors')
    size = quantized_net.save_packed(path, model, shape, fold=fold)
    assert size == os.path.getsize(path)
    assert os.listdir(tmp_path) == ['net.safetensors']
    tolerance = 1e-4 * abs(expected).max()
    found = quantized_net.load_packed(path)
    numpy.testing.assert_allclose(
        found(x), expected, rtol=0, atol=tolerance)
    # into a model of other weights
    other, _ = packed_models.build(name, seed=3)
    if name in NO_INTO:
        with pytest.raises(quantized_net.UserError, match=NO_INTO[name]):
            quantized_net.load_packed(path, into=other)
        return
    assert quantized_net.load_packed(path, into=other) is other
    numpy.testing.assert_allclose(
        packed_models.outputs(other, x), expected, rtol=0, atol=tolerance)
    # what was loaded packs again, to the same weights
    again = str(tmp_path / 'again.safetensors')
    assert quantized_net.save_packed(again, other, shape, fold=fold) == size
    assert quantized_net.load_packed(again).network.steps == (
        found.network.steps)
    for link in other.links():
        if isinstance(link, quantizers.Fixed):
            copy.deepcopy(link)
            pickle.loads(pickle.dumps(link))


def test_codes_are_exact(tmp_path):
    path = str(tmp_path / 'net')
    model, shape = packed_models.build('convnet_linear12')
    quantized_net.save_packed(path, model, shape)
    network = quantized_net.load_packed(path).network
    other = quantized_net.load_packed(path, into=models.ConvNet())
    for name in ('conv1', 'conv2', 'fc'):
        W = model[name].quantized_W.array
        numpy.testing.assert_array_equal(
            network.tensors[name + '/W'].values, W)
        numpy.testing.assert_array_equal(other[name].quantized_W.array, W)
        assert other[name].weight_kind == 'uniform'


@pytest.mark.parametrize('name,ternary', [
    (name, 'base3') for name in packed_models.CASES
    if not name.startswith(('vgg7', 'lenet', 'resnet20', 'gupta'))
    and name not in NO_INTO] + [
        (name, 'bits2') for name in KEPT])
def test_the_summary_says_what_the_file_says(name, ternary, tmp_path):
    model, shape = packed_models.build(name)
    path = str(tmp_path / 'net')
    quantized_net.save_packed(path, model, shape, ternary, fold=False)
    found = file.read(path).network
    summary = quantized_net.summary(model, ternary)
    for row in summary:
        if row.shape is not None:
            assert found.tensors[row.name + '/W'].nbytes == row.packed_bytes
    assert found.nbytes == summary.packed_bytes
    stored = safetensors.numpy.load_file(path)
    assert sum(array.nbytes for array in stored.values()) == found.nbytes


@pytest.mark.parametrize('ternary,ratio', [('base3', 15), ('bits2', 13)])
def test_a_ternary_residual_network_is_so_much_smaller(
        ternary, ratio, tmp_path):
    model, shape = packed_models.build('resnet20_ttq')
    base, _ = packed_models.build('resnet20_float')
    serializer = chainer.serializers.DictionarySerializer()
    serializer.save(base)
    numpy.savez(tmp_path / 'float.npz', **serializer.target)
    size = quantized_net.save_packed(tmp_path / 'net', model, shape, ternary)
    assert os.path.getsize(tmp_path / 'float.npz') > ratio * size


def test_a_classifier(tmp_path):
    model, shape = packed_models.build('convnet_ttq')
    path = str(tmp_path / 'net')
    quantized_net.save_packed(path, L.Classifier(model), shape)
    into = quantized_net.load_packed(path, L.Classifier(models.ConvNet()))
    assert isinstance(into.predictor.fc.weight_quantizer, quantizers.Fixed)


def test_weights_that_moved_are_no_codes_any_more(whole):
    path, x, _ = whole
    model, shape = packed_models.build('user')
    quantized_net.load_packed(path, into=model)
    model.fc.W.array += .01
    with pytest.raises(quantized_net.UserError, match='fc/W: .*changed'):
        quantized_net.save_packed(str(path) + '2', model, shape)
    assert not os.path.exists(str(path) + '2')


@pytest.mark.parametrize('make,words', [
    (lambda: packed_models.build('convnet_ttq')[0], 'images of the shape'),
    (lambda: packed_models.build('chainer_vgg')[0],
     'of another model: its operation 3|images of the shape'),
])
def test_another_model_is_refused_and_stays(make, words, whole):
    model = make()
    before = {n: p.array.copy() for n, p in model.namedparams()}
    with pytest.raises(quantized_net.UserError, match=words):
        quantized_net.load_packed(whole[0], into=model)
    for n, param in model.namedparams():
        numpy.testing.assert_array_equal(before[n], param.array)


def test_activations_that_the_model_lacks(tmp_path):
    model, shape = packed_models.build('mlp_bnn')
    path = str(tmp_path / 'net')
    quantized_net.save_packed(path, model, shape)
    with pytest.raises(quantized_net.UserError, match='another model'):
        quantized_net.load_packed(path, into=models.MLP(100, relu=False))
    with pytest.raises(quantized_net.UserError, match=r'\(100, 784\) there'):
        other = models.MLP(50, relu=False)
        quantized_net.methods.get('bnn').quantize(other)
        quantized_net.load_packed(path, into=other)


# Files that are not whole.

def parts(content):
    n = int.from_bytes(content[:8], 'little')
    return json.loads(content[8:8 + n]), content[8 + n:]


def joined(head, data):
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return len(text).to_bytes(8, 'little') + text + data


def sha256(content):
    return base64.b64encode(
        hashlib.sha256(content).digest()).decode().rstrip('=')


def changed(content, change):
    """A file whose description was changed, with right hashes."""
    head, data = parts(content)
    described = json.loads(head['__metadata__']['network'])
    data = bytearray(data)
    change(described, head, data)
    for name, value in described['tensors'].items():
        start, stop = head[name]['data_offsets']
        if isinstance(value, dict):
            value['sha256'] = sha256(data[start:stop])
        else:
            described['tensors'][name] = sha256(data[start:stop])
    text = json.dumps(described)
    head['__metadata__'].update(network=text, sha256=sha256(text.encode()))
    return joined(head, bytes(data))


def set_op(i, **values):
    return lambda d, head, data: d['operations'][i].update(values)


def set_tensor(name, **values):
    return lambda d, head, data: d['tensors'][name].update(values)


def set_byte(name, at, value):
    def change(d, head, data):
        start, stop = head[name]['data_offsets']
        data[(stop if at < 0 else start) + at] = value
    return change


NAN = set_byte('conv1/W', 3, 0x7f)

HOSTILE = {
    'byte of base 3': (set_byte('conv2/W', -2, 243), 'byte 243'),
    'padding': (set_byte('conv3/W', -1, 242), 'not zero'),
    'codes beyond the codebook': (lambda d, h, data: (
        set_tensor('fc/W', coding='bits8', shape=[24])(d, h, data)),
        'a code|bytes'),
    'another coding': (set_tensor('fc/W', coding='bits2'), 'table of'),
    'unknown coding': (set_tensor('fc/W', coding='zip'), 'zip'),
    'unknown rule': (set_tensor('fc/W', rule='eval'), 'eval'),
    'two codebooks': (set_tensor('fc/W', rule='powers'), 'two codebooks'),
    'huge shape': (set_tensor('fc/W', shape=[1 << 31, 1 << 31]), 'weights'),
    'negative shape': (set_tensor('fc/W', shape=[-5, -36]), 'shape'),
    'rows': (set_tensor('fc/W', rows=2), 'table of'),
    'text as shape': (set_tensor('fc/W', shape='5'), 'shape'),
    'infinite weight': (lambda d, h, data: (
        set_byte('conv1/W', 2, 0x80)(d, h, data), NAN(d, h, data)),
        'not finite'),
    'unknown operation': (set_op(2, op='exec'), 'exec'),
    'unknown attribute': (set_op(0, code='x'), 'code'),
    'stride 0': (set_op(0, stride=[0, 1]), 'stride'),
    'huge pad': (set_op(0, pad=[60000, 60000]), 'value 1|multiplications'),
    'later value': (set_op(1, **{'in': [7]}), 'in'),
    'float value': (set_op(1, **{'in': [.5]}), 'in'),
    'no tensor': (set_op(0, W='conv9/W'), 'conv9'),
    'list as tensor': (set_op(0, W=['conv1/W']), 'tensors'),
    'another tensor': (set_op(0, W='fc/W'), 'convolution of'),
    'groups': (set_op(0, groups=2), 'groups'),
    'no operations': (lambda d, h, data: d.update(operations=[]),
                      'no operations|another'),
    'operations': (lambda d, h, data: d.update(operations={}), 'operations'),
    'many operations': (lambda d, h, data: d['operations'].extend(
        [{'op': 'softmax'}] * 20000), '200[0-9]+ operations'),
    'another input': (lambda d, h, data: d.update(input=[4, 7, 9]),
                      'convolution of'),
    'huge input': (lambda d, h, data: d.update(input=[3, 1 << 30, 1 << 30]),
                   'shape'),
    'other parts': (lambda d, h, data: d.update(code='x'), 'other parts'),
    'about': (lambda d, h, data: d.update(about={'x': 1}), 'about'),
    'pixels': (lambda d, h, data: d.update(pixels={'divisor': 0}), 'pixels'),
    'pixels mean': (lambda d, h, data: d.update(pixels={
        'divisor': 255, 'mean': 'fc/b'}), 'mean'),
    'name': (lambda d, h, data: d['tensors'].update({
        '\x1b[2J': d['tensors'].pop('fc/b')}), 'other tensors'),
}


@pytest.mark.parametrize('name', HOSTILE)
def test_hostile_descriptions_with_right_hashes(name, whole, tmp_path):
    change, words = HOSTILE[name]
    path = tmp_path / 'hostile'
    try:
        path.write_bytes(changed(whole[0].read_bytes(), change))
    except KeyError:  # a name that only the description has
        head, data = parts(whole[0].read_bytes())
        described = json.loads(head['__metadata__']['network'])
        change(described, head, data)
        text = json.dumps(described)
        head['__metadata__'].update(
            network=text, sha256=sha256(text.encode()))
        path.write_bytes(joined(head, data))
    with pytest.raises(quantized_net.UserError, match=words) as e:
        quantized_net.load_packed(str(path))
    assert str(path) in str(e.value) and '\n' not in str(e.value)
    assert str(e.value).isprintable()


def _shared(head, key, value):
    return {**head, key: value}


BROKEN = {
    'empty': (lambda c: b'', '0 bytes'),
    'short': (lambda c: c[:7], '7 bytes'),
    'cut in the header': (lambda c: c[:100], 'header'),
    'cut': (lambda c: c[:-1], 'bytes of tensors'),
    'longer': (lambda c: c + b'\0', 'bytes of tensors'),
    'flipped data': (lambda c: c[:-9] + bytes([c[-9] ^ 1]) + c[-8:],
                     'SHA-256'),
    'a pickle': (lambda c: pickle.dumps({'a': 1}), 'damaged'),
    'a zip': (lambda c: b'PK\3\4' + bytes(30), 'damaged'),
    'header too long': (lambda c: (1 << 40).to_bytes(8, 'little') + c[8:],
                        'a header of'),
    'no JSON': (lambda c: joined(b'{' * 50, b''), 'damaged'),
    'deep JSON': (lambda c: joined(b'[' * 100000, b''), 'damaged'),
    'a list': (lambda c: joined([], b''), 'another kind'),
    'NaN': (lambda c: joined(b'{"a": NaN}', b''), 'NaN'),
    'a large number': (lambda c: joined(b'{"a": ' + b'9' * 9999 + b'}', b''),
                       'damaged'),
    'bytes that are no text': (lambda c: joined(b'{"\xff": 1}', b''),
                               'damaged'),
    'a tensor twice': (lambda c: joined(c[8:8 + int.from_bytes(
        c[:8], 'little')].replace(b'"fc/b"', b'"fc/W"'), parts(c)[1]),
        'twice'),
    'many tensors': (lambda c: joined({str(i): {
        'dtype': 'U8', 'shape': [0], 'data_offsets': [0, 0]}
        for i in range(20000)}, b''), '20000 tensors'),
    'foreign': (lambda c: safetensors.numpy.save({'a': numpy.zeros(3, 'f')}),
                'no packed network'),
    'another type': (lambda c: safetensors.numpy.save(
        {'a': numpy.zeros(3, 'd')}), 'F64'),
    'a hole': (lambda c: joined({'a': {
        'dtype': 'U8', 'shape': [1], 'data_offsets': [1, 2]}}, b'ab'),
        'gap'),
    'newer': (lambda c: c.replace(b'"version":"1"', b'"version":"2"'),
              'newer format 2; update'),
    'another version': (lambda c: c.replace(
        b'"version":"1"', b'"version":"x"'), 'version'),
    'another description': (lambda c: c.replace(
        b'leaky_relu', b'leaky_relV'), 'SHA-256'),
    'no description': (lambda c: joined({'__metadata__': {
        'format': 'quantized_net', 'version': '1'}}, b''), 'network'),
}


@pytest.mark.parametrize('name', BROKEN)
def test_broken_files(name, whole, tmp_path):
    change, words = BROKEN[name]
    path = tmp_path / 'broken'
    path.write_bytes(change(whole[0].read_bytes()))
    for load in (quantized_net.load_packed, inference.load_packed):
        with pytest.raises(quantized_net.UserError, match=words) as e:
            load(str(path))
        assert str(path) in str(e.value) and '\n' not in str(e.value)


def test_files_that_are_not_there(tmp_path):
    for path in (tmp_path / 'nothing', tmp_path):
        with pytest.raises(quantized_net.UserError, match='can not be read'):
            quantized_net.load_packed(str(path))
    model, shape = packed_models.build('user')
    with pytest.raises(quantized_net.UserError, match='can not be written'):
        quantized_net.save_packed(str(tmp_path / 'no' / 'net'), model, shape)


def test_a_limit(whole):
    with pytest.raises(quantized_net.UserError, match='at most 99'):
        quantized_net.load_packed(whole[0], limit=99)


def test_a_description_changed_rightly_is_read(whole, tmp_path):
    path = tmp_path / 'other'
    path.write_bytes(changed(
        whole[0].read_bytes(),
        lambda d, head, data: d.update(about={'who': 'me'})))
    content = file.read(path)
    assert content.about == {'who': 'me'}
    numpy.testing.assert_allclose(
        inference.Predictor(content.network)(whole[1]), whole[2], atol=1e-5)


def test_a_failed_write_leaves_what_was_there(whole, tmp_path, monkeypatch):
    path = tmp_path / 'net'
    path.write_bytes(b'before')
    model, shape = packed_models.build('user')

    def fail(*args):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'replace', fail)
    with pytest.raises(quantized_net.UserError, match='No space'):
        quantized_net.save_packed(path, model, shape)
    assert path.read_bytes() == b'before'
    assert os.listdir(tmp_path) == ['net']


def test_packed_tensors_refuse_what_does_not_fit():
    codebook = quantized_net.packing.Codebook.table(
        numpy.array([0, 1], 'f'))
    with pytest.raises(ValueError, match='a code 2'):
        tensors.PackedTensor.of_codes(
            numpy.array([2, 3, 0]), quantized_net.packing.Codebook.table(
                numpy.zeros(4, 'f')))
        tensors.PackedTensor(
            numpy.array([2], 'B'), 'bits2', (1,), codebook)
    rows = quantized_net.packing.Codebook.table(numpy.zeros((3, 2), 'f'))
    with pytest.raises(ValueError, match='3 rows'):
        tensors.PackedTensor(numpy.array([0], 'B'), 'bits1', (2, 2), rows)


def test_pixels(tmp_path):
    model, shape = packed_models.build('user')
    path = str(tmp_path / 'net')
    mean = numpy.full((3, 1, 1), 100., 'f')
    quantized_net.save_packed(
        path, model, shape, pixels={'divisor': 128., 'mean': mean})
    found = quantized_net.load_packed(path)
    pixels = numpy.random.RandomState(0).randint(
        0, 256, (3,) + shape).astype(numpy.uint8)
    numpy.testing.assert_array_equal(
        found(pixels), found((pixels.astype('f') - mean) / 128))
    quantized_net.load_packed(path, into=model)
    with pytest.raises(quantized_net.UserError, match='mean'):
        quantized_net.save_packed(path, model, shape, pixels={
            'divisor': 128., 'mean': numpy.zeros(7, 'f')})


assert header.MOST_TENSORS < 20000
