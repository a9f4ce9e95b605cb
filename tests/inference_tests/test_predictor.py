"""The predictor, and its operations beside Chainer's functions."""

import concurrent.futures

import chainer
from chainer import functions as F
import numpy
import pytest

import quantized_net
from quantized_net import functions
from quantized_net import inference
from quantized_net.inference import reference
from quantized_net.packing import network
from quantized_net.packing import operations
from quantized_net.packing import tensors
import packed_models

# From a kind to what Chainer computes, and the attributes.
SAME = [
    ('relu', F.relu, {}),
    ('leaky_relu', lambda x: F.leaky_relu(x, .3), {'slope': .3}),
    ('clip', lambda x: F.clip(x, -.5, .25), {'low': -.5, 'high': .25}),
    ('sigmoid', F.sigmoid, {}), ('hard_sigmoid', F.hard_sigmoid, {}),
    ('tanh', F.tanh, {}), ('sign', functions.sign, {}),
    ('round_to_steps', lambda x: functions.linear_quant(x, .25, -1, .75),
     {'step': .25, 'low': -1, 'high': .75}),
    ('round_to_powers', functions.log_quant, {}),
    ('round_to_parts', lambda x: functions.dorefa_activation(x, 3),
     {'n': 7}),
    ('round_to_fixed_point', lambda x: functions.fixed_point(x, 2, 1),
     {'il': 2, 'fl': 1}),
    ('round_to_fixed_point', lambda x: functions.fixed_point(x, 1, 9),
     {'il': 1, 'fl': 9}),
    ('round_to_powers', lambda x: functions.log_quant(x, -2, 1),
     {'lowest': -2, 'highest': 1}),
    ('softmax', F.softmax, {}),
    ('softmax', lambda x: F.softmax(x, axis=3), {'axis': 3}),
    ('log_softmax', F.log_softmax, {}),
    ('mean', lambda x: F.average(x, axis=(2, 3)), {'axes': [2, 3]}),
    ('sum', lambda x: F.sum(x, axis=1, keepdims=True),
     {'axes': [1], 'keepdims': True}),
    ('max', lambda x: F.max(x, axis=(1, 3)), {'axes': [1, 3]}),
    ('transpose', lambda x: F.transpose(x, (0, 3, 1, 2)),
     {'axes': [3, 1, 2]}),
    ('pad', lambda x: F.pad(
        x, ((0, 0), (1, 2), (0, 0), (3, 0)), 'constant', constant_values=.5),
     {'widths': [[1, 2], [0, 0], [3, 0]], 'value': .5}),
    ('reshape', lambda x: F.reshape(x, (2, 7, -1)), {'shape': [7, 24]}),
    ('add_constant', lambda x: x + .3, {'value': .3}),
    ('multiply_constant', lambda x: -x * .3, {'value': -.3}),
]
for kernel in ([1, 1], [2, 2], [3, 2]):
    for stride in ([1, 1], [2, 3], [4, 1]):
        for pad in ([0, 0], [0, 1], [2, 1]):
            if pad[0] < kernel[0] and pad[1] < kernel[1]:
                window = {'kernel': kernel, 'stride': stride, 'pad': pad}
                args = kernel, stride, pad
                for cover_all in (True, False):
                    SAME.append((
                        'max_pooling', lambda x, a=args, c=cover_all:
                        F.max_pooling_2d(x, *a, cover_all=c),
                        dict(window, cover_all=cover_all)))
                SAME.append((
                    'average_pooling', lambda x, a=args:
                    F.average_pooling_2d(x, *a), window))


def values(shape):
    rng = numpy.random.RandomState(0)
    x = rng.normal(0, .7, shape).astype('f')
    special = [0, -0., .5, -.5, 1, -1, .125, -.125, .375][:x.size]
    x.ravel()[:len(special)] = special
    return x


def run(kind, xs, attributes, arrays):
    """The output of one operation, its shape checked."""
    names = {role: role for role in arrays}
    step = operations.make(kind, range(len(xs)), names, **attributes)
    operations.check(step)
    full = operations.attributes_of(step)
    y = reference.run(kind, xs, full, arrays)
    assert y.dtype == numpy.float32
    inferred = operations.KINDS[kind].infer(
        [x.shape[1:] for x in xs], full,
        {role: array.shape for role, array in arrays.items()})
    assert y.shape[1:] == tuple(inferred)
    return y


@pytest.mark.parametrize('i', range(len(SAME)))
def test_operations_of_one_value(i):
    kind, chainers, attributes = SAME[i]
    x = values((2, 4, 6, 7))
    before = x.copy()
    y = run(kind, [x], attributes, {})
    numpy.testing.assert_array_equal(x, before)
    numpy.testing.assert_allclose(
        y, chainers(chainer.Variable(x)).array, 1e-5, 1e-6, err_msg='%s %s' % (
            kind, attributes))


@pytest.mark.parametrize('attributes', [
    {}, {'pad': [1, 2]}, {'stride': [2, 3], 'pad': [1, 0]},
    {'dilate': [2, 1], 'pad': [2, 2]}, {'groups': 2},
    {'stride': [3, 2], 'cover_all': True},
    {'groups': 4, 'stride': [2, 2], 'pad': [1, 1], 'cover_all': True}])
@pytest.mark.parametrize('kernel', [(1, 1), (3, 3), (2, 3)])
@pytest.mark.parametrize('has_bias', [True, False])
def test_convolution(attributes, kernel, has_bias):
    x = values((3, 4, 8, 9))
    W = values((8, 4 // attributes.get('groups', 1)) + kernel)
    arrays = dict({'W': W}, **({'b': values((9,))[:8]} if has_bias else {}))
    expected = F.convolution_2d(x, W, arrays.get('b'), **attributes).array
    numpy.testing.assert_allclose(
        run('convolution', [x], attributes, arrays), expected, 1e-4, 1e-5)


def test_large_convolutions_are_computed_in_parts(monkeypatch):
    x, W = values((5, 4, 8, 9)), values((8, 4, 3, 3))
    whole = run('convolution', [x], {}, {'W': W})
    monkeypatch.setattr(reference, '_ROWS', 1)
    numpy.testing.assert_allclose(
        run('convolution', [x], {}, {'W': W}), whole, 1e-5, 1e-6)


def test_layers_of_several_values():
    x, z = values((3, 4, 2, 5)), values((3, 4, 2, 5)) + 1
    W, b = values((9, 40)), values((9,))
    numpy.testing.assert_allclose(
        run('linear', [x], {}, {'W': W, 'b': b}),
        F.linear(x, W, b).array, 1e-5, 1e-6)
    numpy.testing.assert_array_equal(run('add', [x, z], {}, {}), x + z)
    numpy.testing.assert_array_equal(run('multiply', [x, z], {}, {}), x * z)
    numpy.testing.assert_array_equal(
        run('concat', [x, z, x], {'axis': 2}, {}),
        numpy.concatenate((x, z, x), 2))


@pytest.mark.parametrize('shape', [(5, 3), (5, 3, 4, 2)])
def test_normalizations(shape):
    x = values(shape)
    gamma, beta, mean, var = [values((9,))[i:i + 3] + 1 for i in range(4)]
    expected = F.fixed_batch_normalization(
        x, gamma, beta, mean, var, eps=1e-3).array
    arrays = {'gamma': gamma, 'beta': beta, 'mean': mean, 'var': var}
    numpy.testing.assert_allclose(run(
        'batch_normalization', [x], {'eps': 1e-3}, arrays), expected, 1e-5,
        1e-6)
    scale = gamma / numpy.sqrt(var + numpy.float32(1e-3))
    numpy.testing.assert_allclose(run('normalization', [x], {}, {
        'factors': numpy.stack([mean, scale, beta])}), expected, 1e-5, 1e-6)
    numpy.testing.assert_allclose(run('scale_shift', [x], {}, {
        'factors': numpy.stack([scale, beta - mean * scale])}), expected,
        1e-5, 1e-6)


def test_nan_stays_nan():
    x = numpy.array([[numpy.nan, numpy.inf, -numpy.inf]], 'f')
    assert numpy.isnan(run('sign', [x], {}, {})[0, 0])
    assert numpy.isnan(run('round_to_powers', [x], {}, {})[0, 0])
    assert run('sign', [x], {}, {})[0, 1:].tolist() == [1, -1]
    assert run('round_to_powers', [x], {}, {})[0, 1:].tolist() == [1, -1]


@pytest.fixture(scope='module')
def predictor(tmp_path_factory):
    path = tmp_path_factory.mktemp('predictor') / 'net'
    model, shape = packed_models.build('user')
    quantized_net.save_packed(path, model, shape, pixels={'divisor': 255.})
    return inference.load_packed(path)


@pytest.mark.parametrize('n', [0, 1, 2, 7, 600])
def test_batches_of_any_size(predictor, n):
    x = packed_models.images(predictor.input_shape, n)
    y = predictor(x)
    assert y.shape == (n, 5) and y.dtype == numpy.float32
    assert predictor.predict(x).shape == (n,)
    assert predictor.predict_proba(x).shape == (n, 5)
    if n:
        numpy.testing.assert_allclose(
            predictor(x[-1:])[0], y[-1], 1e-4, 1e-6)


def test_one_image(predictor):
    x = packed_models.images(predictor.input_shape, 2)
    numpy.testing.assert_allclose(predictor(x[0]), predictor(x)[0], 1e-5)
    assert predictor.predict(x[0]) == predictor.predict(x)[0]
    assert predictor.predict_proba(x[0]).shape == (5,)


def test_probabilities(predictor):
    x = packed_models.images(predictor.input_shape, 4)
    # the network ends in a softmax
    numpy.testing.assert_array_equal(
        predictor.predict_proba(x), predictor(x))
    model, shape = packed_models.build('convnet_ttq')
    found = inference.Predictor(
        quantized_net.tracing.trace(model, shape))
    x = packed_models.images(shape, 4)
    with chainer.using_config('train', False):
        expected = F.softmax(model(x)).array
    numpy.testing.assert_allclose(
        found.predict_proba(x), expected, 1e-4, 1e-6)
    numpy.testing.assert_array_equal(
        found.predict(x), expected.argmax(axis=1))


def test_pixels_and_other_numbers(predictor):
    x = numpy.random.RandomState(0).randint(
        0, 256, (3,) + predictor.input_shape)
    expected = predictor(x.astype('f') * numpy.float32(1 / 255))
    numpy.testing.assert_array_equal(
        predictor(x.astype(numpy.uint8)), expected)
    with pytest.raises(quantized_net.UserError, match='int64'):
        predictor(x)
    numpy.testing.assert_allclose(
        predictor(x / 255.), expected, 1e-4, 1e-6)
    for array in (numpy.array(['a'] * 3), numpy.zeros((3, 3, 7, 8), 'f'),
                  numpy.zeros((2, 3, 3, 7, 9), 'f'), numpy.float32(3)):
        with pytest.raises(quantized_net.UserError, match='images'):
            predictor(array)
    with pytest.raises(quantized_net.UserError, match='images'):
        predictor(numpy.zeros((1, 3, 7, 9), complex))


def test_pixels_without_a_word_about_them():
    model, shape = packed_models.build('convnet_ttq')
    found = inference.Predictor(quantized_net.tracing.trace(model, shape))
    with pytest.raises(quantized_net.UserError, match='8-bit pixels'):
        found(numpy.zeros((1,) + shape, numpy.uint8))


def test_an_output_that_is_no_class():
    found = inference.Predictor(network.Network(
        (2, 3), [operations.make('relu', [0])], {}))
    with pytest.raises(quantized_net.UserError, match='each class'):
        found.predict(numpy.zeros((1, 2, 3), 'f'))


def test_threads_share_it(predictor):
    xs = [packed_models.images(predictor.input_shape, n, seed=n)
          for n in range(1, 9)]
    expected = [predictor(x) for x in xs]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for found in range(4):
            for y, found in zip(expected, pool.map(predictor, xs)):
                numpy.testing.assert_array_equal(found, y)


def test_values_are_dropped_after_their_last_use():
    steps = [operations.make('relu', [0]), operations.make('tanh', [1]),
             operations.make('add', [1, 2]), operations.make('add', [3, 0])]
    found = network.Network((4,), steps, {})
    assert [sorted(v) for v in found.last_uses] == [
        [], [], [], [1, 2], [0, 3]]


def test_a_network_has_limits():
    relu = operations.make('relu', [0])
    with pytest.raises(ValueError, match='the shape'):
        network.Network((1 << 25,), [relu], {})
    with pytest.raises(ValueError, match='operations'):
        network.Network((1,), [relu] * 20000, {})
    large = tensors.FloatTensor(numpy.zeros((1, 1, 100, 100), 'f'))
    with pytest.raises(ValueError, match='multiplications'):
        network.Network((1, 4000, 4000), [
            operations.make('convolution', [i], {'W': 'W'}, pad=[50, 50])
            for i in range(3)], {'W': large})
    with pytest.raises(ValueError, match='same time'):
        network.Network((1 << 24,), [
            operations.make('relu', [0]) for _ in range(6)] + [
                operations.make('add', [i, i - 1]) for i in range(6, 0, -1)],
            {})
