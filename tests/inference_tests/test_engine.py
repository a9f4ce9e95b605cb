"""The engine beside NumPy's form of the operations."""

import concurrent.futures
import math
import pickle

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy
import pytest

from quantized_net import inference
from quantized_net import packed
from quantized_net.inference import engine
from quantized_net.inference import reference
from quantized_net.kernels import native
from quantized_net.packing import codebook
from quantized_net.packing import network
from quantized_net.packing import operations
from quantized_net.packing import tensors
import packed_models

pytestmark = pytest.mark.skipif(
    native.library() is None, reason='the kernels are not compiled')


@pytest.fixture(params=[0, 1, 2], ids=['baseline', 'AVX2', 'AVX-512'])
def level(request):
    set_level = native.library().quantized_net_set_level
    try:
        if set_level(request.param) != request.param:
            pytest.skip('this processor has no such level')
        yield request.param
    finally:
        set_level(2)


def by_numpy(net, x):
    """All operations in NumPy."""
    predictor = inference.Predictor(net)
    if x.dtype == numpy.uint8:
        x = predictor._inputs(x)
    return predictor._run(0, x)


def assert_close(y, expected, tolerance=1e-5, scale=None):
    if scale is None:
        scale = max(
            abs(expected[numpy.isfinite(expected)]).max(initial=0), 1e-30)
    numpy.testing.assert_allclose(
        y / scale, expected / scale, 0, tolerance)


def make(input_shape, *steps, pixels=None, **arrays):
    """A network of steps (kind, inputs, tensors, attributes)."""
    return network.Network(
        input_shape, [operations.make(kind, inputs, roles, **attributes)
                      for kind, inputs, roles, attributes in steps],
        {name: value if isinstance(value, tensors.PackedTensor)
         else tensors.FloatTensor(numpy.asarray(value, 'f'))
         for name, value in arrays.items()}, pixels)


def packed_tensor(rng, shape, values):
    return tensors.PackedTensor.of_codes(
        rng.randint(0, len(values), shape).astype('uint8'),
        codebook.Codebook.table(numpy.asarray(values, 'f')))


@pytest.mark.parametrize('name', [
    name for name in packed_models.CASES
    if not name.startswith(('vgg7', 'lenet'))])
def test_networks(name):
    model, shape = packed_models.build(name)
    net = packed.describe(model, shape, pixels={'divisor': 255})
    rng = numpy.random.RandomState(1)
    pixels = rng.randint(0, 256, (5,) + shape).astype('uint8')
    for x in (pixels, pixels / numpy.float32(255)):
        y = inference.Predictor(net)(x)
        assert_close(y, by_numpy(net, x), 1e-4)


def test_whole_networks_run_in_c():
    for name in ('convnet_ttq', 'lenet_float', 'resnet20_twn', 'mlp_bnn',
                 'mlp_qnn', 'mlp_ttq', 'convnet_linear4'):
        model, shape = packed_models.build(name)
        net = packed.describe(model, shape)
        found = engine.Engine(net)
        assert found.n == len(net.steps), (name, found.why)


def test_levels(level):
    for name in ('convnet_ttq', 'mlp_bnn', 'resnet8_odd_twn'):
        model, shape = packed_models.build(name)
        net = packed.describe(model, shape, pixels={'divisor': 255})
        x = numpy.random.RandomState(0).randint(
            0, 256, (3,) + shape).astype('uint8')
        assert_close(inference.Predictor(net)(x), by_numpy(net, x), 1e-4)


def test_an_engine_of_another_level_is_refused():
    net = make((3,), ('relu', [0], {}, {}))
    found = engine.Engine(net)
    set_level = native.library().quantized_net_set_level
    try:
        set_level(0)
        with pytest.raises(RuntimeError, match='another level'):
            found(numpy.ones((1, 3), 'f'))
    finally:
        set_level(2)


def test_batches_and_threads():
    model, shape = packed_models.build('resnet8_odd_twn')
    net = packed.describe(model, shape)
    predictor = inference.Predictor(net)
    x = numpy.random.RandomState(0).normal(size=(37,) + shape).astype('f')
    expected = numpy.concatenate([predictor(one[None]) for one in x])
    assert predictor(x[:0]).shape == (0, 10)
    for threads in (1, 2, 3):
        native.set_threads(threads)
        try:
            numpy.testing.assert_allclose(
                predictor(x), expected, 1e-5, 1e-6)
        finally:
            native.set_threads(native._default_threads())
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for y in pool.map(lambda _: predictor(x), range(8)):
            numpy.testing.assert_allclose(y, expected, 1e-5, 1e-6)


def test_numpy_does_the_rest():
    """What C does not know, from a value on that is alone."""
    rng = numpy.random.RandomState(0)
    net = make(
        (2, 5, 4), ('relu', [0], {}, {}), ('sigmoid', [1], {}, {}),
        ('multiply', [1, 2], {}, {}), ('mean', [3], {}, {'axes': [2, 3]}))
    found = engine.Engine(net)
    # value 1 is needed beside the sigmoid's, and is an image: channels-last
    assert (found.n, found.why) == (0, 'sigmoid')
    net = make((6,), ('relu', [0], {}, {}), ('softmax', [1], {}, {}))
    assert engine.Engine(net).n == 1
    x = rng.normal(size=(4, 6)).astype('f')
    numpy.testing.assert_allclose(
        inference.Predictor(net)(x), by_numpy(net, x), 1e-6)
    assert 'softmax: NumPy (softmax)' in inference.Predictor(net).explain()


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_linear_layers_of_codes(data):
    rng = numpy.random.RandomState(data.draw(st.integers(0, 1000)))
    n_in, n_out = data.draw(st.integers(1, 150)), data.draw(
        st.integers(1, 70))
    values = data.draw(st.sampled_from([
        [-1, 1], [-.5, .5], [-.7, 0, 1.3], [-1, 0, 1], [0, .1, .2, .4],
        [-1, 2]]))
    takes_signs = data.draw(st.booleans())
    W = packed_tensor(rng, (n_out, n_in), values)
    b = rng.normal(size=n_out) if data.draw(st.booleans()) else None
    arrays = {'W': W} if b is None else {'W': W, 'b': b}
    roles = {role: role for role in arrays}
    steps = [('linear', [0], roles, {})]
    if takes_signs:
        steps = [('sign', [0], {}, {}), ('linear', [1], roles, {})]
    net = make((n_in,), *steps, pixels={'divisor': 255}, **arrays)
    n = data.draw(st.integers(1, 20))
    pixels = rng.randint(0, 256, (n, n_in)).astype('uint8')
    pixels[:, rng.randint(0, 2, n_in) == 0] = 0
    for x in (rng.normal(size=(n, n_in)).astype('f'), pixels):
        found = engine.Engine(net, x.dtype == numpy.uint8)
        assert found.n == len(steps)
        # rounding is of the terms, which may cancel
        terms = numpy.ones_like(x) if takes_signs else abs(
            inference.Predictor(net)._inputs(x))
        scale = max((terms @ abs(W.values).T).max(), abs(
            by_numpy(net, x)).max(), 1e-30)
        assert_close(found(x), by_numpy(net, x), 1e-6, scale)
        if takes_signs and b is None and values == [-1, 1]:
            numpy.testing.assert_array_equal(found(x), by_numpy(net, x))


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_convolutions_and_what_follows(data):
    draw = data.draw
    rng = numpy.random.RandomState(draw(st.integers(0, 1000)))
    groups = draw(st.sampled_from([1, 1, 2]))
    c_in, c_out = [groups * draw(st.sampled_from([1, 3, 8, 16]))
                   for _ in range(2)]
    kernel = draw(st.sampled_from([1, 2, 3, 5]))
    size = [draw(st.integers(5, 12)) for _ in range(2)]
    stride = draw(st.sampled_from([1, 1, 2]))
    pad = draw(st.integers(0, kernel - 1))
    W = rng.normal(size=(c_out, c_in // groups, kernel, kernel))
    if draw(st.booleans()):
        W = packed_tensor(rng, W.shape, [-1, 0, 1])
    arrays, roles = {'W': W}, {'W': 'W'}
    if draw(st.booleans()):
        arrays['b'], roles['b'] = rng.normal(size=c_out), 'b'
    steps = []
    if draw(st.booleans()):
        steps.append(('sign', [0], {}, {}))
    first = len(steps)
    steps.append(('convolution', [first], roles, {
        'stride': [stride] * 2, 'pad': [pad] * 2, 'groups': groups}))
    y = first + 1
    out = [(n + 2 * pad - kernel) // stride + 1 for n in size]
    if draw(st.booleans()):
        # a shortcut: the same convolution, taken once more
        steps.append(('convolution', [first], roles, steps[-1][3]))
        steps.append(('add', draw(st.permutations([y, y + 1])), {}, {}))
        y += 2
    tail = draw(st.lists(st.sampled_from([
        'relu', 'scale_shift', 'normalization', 'clip', 'leaky_relu']),
        max_size=4, unique=True))
    for kind in tail:
        tensors_of = {}
        if kind in ('scale_shift', 'normalization'):
            rows = 2 if kind == 'scale_shift' else 3
            arrays[kind] = rng.normal(size=(rows, c_out))
            tensors_of = {'factors': kind}
        steps.append((kind, [y], tensors_of, {}))
        y += 1
    if draw(st.booleans()):
        # that value is used twice
        steps.append(('add', [y, y], {}, {}))
        y += 1
    steps.append(('mean', [y], {}, {'axes': [2, 3]}))
    net = make((c_in, *size), *steps, **arrays)
    found = engine.Engine(net)
    assert found.n == len(steps)
    x = rng.normal(size=(draw(st.integers(1, 6)), c_in, *size)).astype('f')
    assert min(out) > 0
    assert_close(found(x), by_numpy(net, x), 1e-4)


@pytest.mark.parametrize('kind,attributes', [
    ('sign', {}), ('round_to_steps', {'step': .25, 'low': -1, 'high': .75}),
    ('round_to_powers', {}), ('round_to_powers', {'lowest': -2, 'highest': 1}),
    ('clip', {'low': -.5, 'high': .25}), ('relu', {}),
    ('leaky_relu', {'slope': .3}), ('add_constant', {'value': .3}),
    ('multiply_constant', {'value': -.3})])
def test_elementwise_bits(kind, attributes):
    """The same bits as NumPy's, of what is no number as well."""
    x = numpy.random.RandomState(0).normal(0, .7, (3, 50)).astype('f')
    x[0, :9] = [0, -0., .5, -.5, .125, -.375, numpy.inf, -numpy.inf, numpy.nan]
    net = make((50,), (kind, [0], {}, attributes))
    with numpy.errstate(invalid='ignore'):
        expected = reference.run(
            kind, [x], operations.attributes_of(net.steps[0]), {})
    numpy.testing.assert_array_equal(engine.Engine(net)(x), expected)


@pytest.mark.parametrize('steps', [
    [('sign', [0], {}, {}), ('linear', [1], {'W': 'W'}, {})],
    [('linear', [0], {'W': 'W'}, {})],
    [('sign', [0], {}, {}), ('linear', [1], {'W': 'W'}, {}),
     ('relu', [2], {}, {})]])
def test_a_nan_comes_out(steps):
    rng = numpy.random.RandomState(0)
    net = make((40,), *steps, W=packed_tensor(rng, (20, 40), [-1, 1]))
    x = rng.normal(size=(3, 40)).astype('f')
    x[1, 7] = numpy.nan
    y = engine.Engine(net)(x)
    assert numpy.isnan(y[1]).all() and numpy.isfinite(y[[0, 2]]).all()


def test_pooling_and_padding():
    rng = numpy.random.RandomState(0)
    x = rng.normal(size=(3, 4, 7, 6)).astype('f')
    x[1, 2, 3, 3] = numpy.nan
    for kind, attributes in (
            ('max_pooling', {'kernel': [3, 2], 'stride': [2, 2],
                             'pad': [1, 0], 'cover_all': True}),
            ('max_pooling', {'kernel': [2, 2], 'stride': [2, 3],
                             'pad': [0, 0], 'cover_all': False}),
            ('average_pooling', {'kernel': [3, 3], 'stride': [2, 1],
                                 'pad': [1, 1]}),
            ('pad', {'widths': [[1, 2], [0, 1], [2, 0]]})):
        net = make((4, 7, 6), (kind, [0], {}, attributes),
                   ('mean', [1], {}, {'axes': [2, 3]}))
        found = engine.Engine(net)
        assert found.n == 2
        numpy.testing.assert_allclose(found(x), by_numpy(net, x), 1e-5, 1e-6)


def test_the_mean_of_pixels():
    """As a bias of whole sums, and before a convolution."""
    rng = numpy.random.RandomState(0)
    W = packed_tensor(rng, (20, 30), [-.5, 0, .5])
    for pixels in ({'divisor': 128}, {'divisor': 128., 'mean': 'mean'}):
        arrays = {'mean': rng.uniform(0, 255, 30)} if 'mean' in pixels else {}
        net = make((30,), ('linear', [0], {'W': 'W'}, {}), pixels=pixels,
                   W=W, **arrays)
        x = rng.randint(0, 256, (5, 30)).astype('uint8')
        found = engine.Engine(net, True)
        if native.level() == 2:
            assert found.steps[1].kind == 'pixel_sums'
        assert_close(found(x), by_numpy(net, x))
    net = make((3, 6, 5), ('convolution', [0], {'W': 'W'}, {}),
               ('mean', [1], {}, {'axes': [2, 3]}),
               pixels={'divisor': 128, 'mean': 'mean'},
               W=rng.normal(size=(4, 3, 3, 3)), mean=numpy.full(
                   (3, 1, 1), [[[100.]], [[20]], [[3]]]))
    x = rng.randint(0, 256, (2, 3, 6, 5)).astype('uint8')
    numpy.testing.assert_allclose(
        engine.Engine(net, True)(x), by_numpy(net, x), 1e-4, 1e-5)


def test_memory_is_shared_by_values_that_never_meet():
    model, shape = packed_models.build('resnet20_ttq')
    net = packed.describe(model, shape)
    found = engine.Engine(net)
    plan = engine.steps.Planner(net, found.n)
    _, arena = engine._arena(plan)
    assert arena < sum(plan.sizes.values()) / 4
    assert arena >= max(map(math.prod, net.shapes))


def test_a_predictor_is_pickled():
    model, shape = packed_models.build('mlp_bnn')
    predictor = inference.Predictor(packed.describe(model, shape))
    x = numpy.random.RandomState(0).normal(size=(3,) + shape).astype('f')
    y = predictor(x)  # with its engine
    numpy.testing.assert_array_equal(
        pickle.loads(pickle.dumps(predictor))(x), y)
