"""quantize, load_float and summary on models of every shape."""

import copy

import chainer
from chainer import functions as F
from chainer import links as L
import numpy
import pytest

import quantized_net
from quantized_net import quantizers


class Block(chainer.Chain):

    def __init__(self, n):
        super(Block, self).__init__()
        with self.init_scope():
            self.conv = L.Convolution2D(n, n, 3, pad=1, nobias=True)
            self.bn = L.BatchNormalization(n)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


class Model(chainer.Chain):

    """Nested Chains, a ChainList, a Sequential, a block used twice."""

    def __init__(self):
        super(Model, self).__init__()
        with self.init_scope():
            self.conv1 = L.Convolution2D(3, 4, 3, pad=1)
            self.dilated = L.DilatedConvolution2D(4, 4, 3, pad=2, dilate=2)
            self.blocks = chainer.ChainList(Block(4), Block(4))
            self.seq = chainer.Sequential(
                L.Convolution2D(4, 4, 1), F.relu).repeat(2)
            self.shared = Block(4)
            self.fc = L.Linear(None, 5)

    def forward(self, x):
        h = F.relu(self.dilated(F.relu(self.conv1(x))))
        for block in self.blocks:
            h = block(h)
        h = self.shared(self.shared(self.seq(h)))
        return self.fc(F.average(h, axis=(2, 3)))


PATHS = ['conv1', 'dilated', 'blocks/0/conv', 'blocks/1/conv', 'seq/0/0',
         'seq/1/0', 'shared/conv', 'fc']


@pytest.fixture
def x(device):
    return device.send(numpy.random.uniform(
        -1, 1, (2, 3, 6, 6)).astype('f'))


@pytest.fixture
def model(device, x):
    model = Model()
    model.to_device(device)
    model(x)
    return model


def values(model):
    return {name: param.array.copy()
            for name, param in model.namedparams()}


def test_every_layer_is_quantized_in_place(model, x):
    params = dict(model.namedparams())
    before = values(model)
    report = quantized_net.quantize(model, 'ttq', threshold=.1)
    assert sorted(layer.path for layer in report) == sorted(PATHS)
    after = dict(model.namedparams())
    for name, param in params.items():
        assert after[name] is param
        assert bool((param.array == before[name]).all())
    added = set(after) - set(params)
    assert added == {'/%s/weight_quantizer/%s' % (path, scale)
                     for path in PATHS for scale in ('Wp', 'Wn')}
    for path, link in model.namedlinks():
        if path.lstrip('/') in PATHS:
            assert len(set(link.quantized_W.array.ravel().tolist())) <= 3
    model.cleargrads()
    F.sum(model(x) ** 2).backward()
    assert all(p.grad is not None for p in model.params())
    assert 'quantized: TTQ' in str(report)


def test_it_computes_what_the_quantized_weights_say(model, x):
    reference = copy.deepcopy(model)
    quantized_net.quantize(model, 'sign')
    for name, param in reference.namedparams():
        if name.endswith('/W'):
            param.array = reference.xp.where(param.array >= 0, 1, -1).astype(
                'f')
    numpy.testing.assert_allclose(
        chainer.get_device('@numpy').send(model(x).array),
        chainer.get_device('@numpy').send(reference(x).array), 1e-4, 1e-4)


@pytest.mark.parametrize('skip,expected', [
    (('conv1', '/fc'), {'conv1', 'fc'}), ('blocks', PATHS[2:4]),
    (('seq/1',), {'seq/1/0'}),
    (lambda path, link: link.W.ndim == 2, {'fc'})])
def test_skip(model, skip, expected):
    report = quantized_net.quantize(model, 'twn', skip=skip)
    assert {layer.path for layer in report
            if layer.action == 'skipped'} == set(expected)
    assert quantized_net.summary(model)


def test_each_layer_has_a_quantizer_of_its_own(model):
    quantized_net.quantize(model, lambda: quantizers.TTQ(sparsity=.5))
    found = [link for link in model.links()
             if isinstance(link, quantizers.TTQ)]
    assert len({id(link) for link in found}) == len(PATHS)


def test_a_link_by_itself(device):
    link = L.Linear(3, 2)
    link.to_device(device)
    quantized_net.quantize(link, 'ttq')
    assert isinstance(link, quantized_net.QuantizedLinear)


def test_not_yet_initialized_layer():
    model = chainer.Sequential(L.Linear(None, 2))
    quantized_net.quantize(model, 'ttq')
    assert model(numpy.ones((2, 3), 'f')).shape == (2, 2)


def test_weights_can_be_requantized_after_none(model):
    link = quantized_net.QuantizedLinear(
        3, 2, input_quantizer=quantizers.Sign())
    quantized_net.quantize(link, 'twn')
    assert isinstance(link.weight_quantizer, quantizers.TWN)
    assert isinstance(link.input_quantizer, quantizers.Sign)


def test_optimizer_that_was_set_up_before(model):
    chainer.optimizers.SGD().setup(model)
    quantized_net.quantize(model, 'twn', skip=PATHS[1:])
    with pytest.warns(UserWarning, match='setup'):
        quantized_net.quantize(model, 'ttq', skip=('conv1',))


class Special(L.Linear):
    pass


def make_for_cudnn():
    with chainer.using_config('compute_mode', 'cudnn_fast'):
        return chainer.Sequential(L.Convolution2D(2, 2, 3))


@pytest.mark.parametrize('make,options,named', [
    (Model, {'method': 'tqt'}, 'tqt'),
    (Model, {'method': 'ttq', 'skip': ('con',)}, "'con'"),
    (Model, {'method': 'ttq', 'threshold': 2}, 'threshold'),
    (Model, {'method': 'ttq', 'sparsity': 1}, 'sparsity'),
    (lambda: chainer.Sequential(L.BatchNormalization(3)),
     {'method': 'ttq'}, 'no Linear'),
    (lambda: chainer.Sequential(L.Linear(2, 2)),
     {'method': 'ttq', 'skip': ('0',)}, 'not skipped'),
    (lambda: chainer.Sequential(L.Linear(2, 2, initialW=0)),
     {'method': 'ttq'}, 'layer 0 would be all zeros'),
    (lambda: chainer.Sequential(L.Linear(2, 2), Special(2, 2)),
     {'method': 'ttq'}, 'layer 1 is of the class Special'),
    (make_for_cudnn, {'method': 'ttq'}, 'layer 0 has a memory layout')])
def test_refusals_leave_the_model(make, options, named):
    model = make()
    classes = [type(link) for link in model.links()]
    with pytest.raises(quantized_net.UserError, match=named):
        quantized_net.quantize(model, **options)
    assert [type(link) for link in model.links()] == classes


def test_what_is_quantized_already_stays(model):
    quantized_net.quantize(model, 'ttq', skip=('fc',))
    before = model.conv1.weight_quantizer
    report = quantized_net.quantize(model, 'twn')
    assert model.conv1.weight_quantizer is before
    assert isinstance(model.fc.weight_quantizer, quantizers.TWN)
    actions = {row.path: row.action for row in report}
    assert actions['conv1'].startswith('quantized already: TTQ(')
    assert actions['fc'].startswith('quantized: TWN(')
    with pytest.raises(quantized_net.UserError, match='already'):
        quantized_net.quantize(model, 'ttq')


@pytest.mark.parametrize('mode', ['copy', 'deepcopy', 'npz'])
def test_copies(model, x, mode, tmp_path):
    quantized_net.quantize(model, 'ttq')
    model.fc.weight_quantizer.Wp.array[...] = 3
    if mode == 'npz':
        chainer.serializers.save_npz(str(tmp_path / 'm'), model)
        other = Model()
        other.to_device(model.device)
        other(x)
        quantized_net.quantize(other, 'ttq')
        chainer.serializers.load_npz(str(tmp_path / 'm'), other)
    else:
        other = model.copy('copy') if mode == 'copy' else copy.deepcopy(model)
    with chainer.using_config('train', False):
        assert bool((other(x).array == model(x).array).all())


@pytest.mark.parametrize('wrap', [False, True])
def test_load_float(model, x, tmp_path, wrap):
    path = str(tmp_path / 'float')
    model.blocks[0].bn.avg_mean[...] = 7
    holder = L.Classifier(model) if wrap else model
    chainer.serializers.save_npz(path, holder)
    other = Model()
    other.to_device(model.device)
    other(x)
    quantized_net.quantize(other, 'ttq', skip=('conv1',))
    stayed = quantized_net.load_float(path, other)
    assert sorted(stayed) == sorted(
        '/%s/weight_quantizer/%s' % (p, s)
        for p in PATHS[1:] for s in ('Wp', 'Wn'))
    for name, value in values(model).items():
        assert bool((dict(other.namedparams())[name].array == value).all())
    assert bool((other.blocks[0].bn.avg_mean == 7).all())


def test_load_float_refuses_another_architecture(model, tmp_path):
    path = str(tmp_path / 'float')
    chainer.serializers.save_npz(path, L.Linear(3, 2))
    before = values(model)
    with pytest.raises(quantized_net.UserError, match='another archit'):
        quantized_net.load_float(path, model)
    with pytest.raises(quantized_net.UserError, match='can not be read'):
        quantized_net.load_float(str(tmp_path / 'nothing'), model)
    for name, value in before.items():
        assert bool((dict(model.namedparams())[name].array == value).all())


GOLDEN = '''\
layer                       shape  quantizer  bits  zeros %      Wp      Wn  \
values  float bytes  packed
-----------------------------------------------------------------------------\
---------------------------
0                           8x4    TTQ           2     50.0  1.5000  1.0000  \
     3          128      19
1                           2x8    float        32                           \
                 64      64
biases, BatchNormalization         float        32                           \
                 40      40
-----------------------------------------------------------------------------\
---------------------------
total                                                                        \
                232     123
1.89 times smaller'''


def test_summary(device):
    model = chainer.Sequential(L.Linear(4, 8), L.Linear(8, 2))
    model[0].W.array[...] = numpy.linspace(-1, 1, 32).reshape(8, 4)
    model.to_device(device)
    quantized_net.quantize(model, 'ttq', sparsity=.5, skip=('1',))
    model[0].weight_quantizer.Wp.array[...] = 1.5
    before = values(model)
    found = quantized_net.summary(model)
    assert str(found) == GOLDEN
    for name, value in values(model).items():
        assert bool((before[name] == value).all())


def test_summary_tells_negative_scales(device):
    layer = quantized_net.QuantizedLinear(
        4, 8, weight_quantizer=quantizers.TTQ(sparsity=.5))
    layer.weight_quantizer.Wp.array[...] = -.25
    layer.to_device(device)
    row = quantized_net.summary(layer)[0]
    assert (row.Wp, row.Wn) == (-.25, 1)


def test_summary_without_scales(device):
    layer = quantized_net.QuantizedLinear(
        4, 8, weight_quantizer=quantizers.Sign())
    layer.to_device(device)
    row = quantized_net.summary(layer)[0]
    assert row.Wp is None and row.Wn is None


def test_summary_of_a_shared_block(model):
    quantized_net.quantize(model, 'ttq')
    names = [row.name for row in quantized_net.summary(model)]
    assert sorted(names[:-1]) == sorted(PATHS)


def test_a_rule_is_no_table_in_the_summary():
    layer = quantized_net.QuantizedLinear(
        200, 101, weight_quantizer=quantizers.LinearQuant(16))
    row = quantized_net.summary(layer)[0]
    assert row.packed_bytes == 40400 + 20


def test_summary_counts_the_codebook_of_every_filter():
    one, each = [quantized_net.summary(quantized_net.QuantizedLinear(
        4, 8, weight_quantizer=quantizers.TWN(per_filter=per_filter)))[0]
        for per_filter in (False, True)]
    # eight codebooks of three float32 values, or one
    assert each.packed_bytes - one.packed_bytes == 4 * 3 * (8 - 1)
