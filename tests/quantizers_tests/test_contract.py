"""What every quantizer answers, tested once for all of them."""

import copy
import pickle

import chainer
import numpy
import pytest

from quantized_net import quantizers
from quantized_net.kernels import clip
from quantized_net.kernels import native
from testing import to_cpu

QUANTIZERS = {
    'sign': quantizers.Sign,
    'stochastic_sign': quantizers.StochasticSign,
    'linear2': lambda: quantizers.LinearQuant(2),
    'linear8': lambda: quantizers.LinearQuant(8),
    'linear16': lambda: quantizers.LinearQuant(16),
    'ttq': quantizers.TTQ,
    'ttq_fixed': lambda: quantizers.TTQ(
        threshold=.3, learn_scales=False, initial_scale=.7),
    'ttq_sparsity': lambda: quantizers.TTQ(sparsity=.5),
    'ttq_no_zeros': lambda: quantizers.TTQ(sparsity=0),
    'ttq_relative': lambda: quantizers.TTQ(
        threshold=.3, scales='relative', initial_scale=.7),
    'ttq_relative_fixed': lambda: quantizers.TTQ(
        sparsity=.5, scales='relative', learn_scales=False),
    'twn': quantizers.TWN,
    'twn_per_filter': lambda: quantizers.TWN(.75, per_filter=True),
    'log': quantizers.LogQuant,
    'log2': lambda: quantizers.LogQuant(2),
    'log5': lambda: quantizers.LogQuant(5, max_exponent=-1),
}


@pytest.fixture(params=QUANTIZERS)
def quantizer(request, device):
    link = QUANTIZERS[request.param]()
    link.to_device(device)
    with chainer.using_config('train', False):
        yield link


@pytest.fixture(params=[(1,), (13, 7), (4, 3, 5, 2)])
def weight(request, device):
    W = numpy.random.uniform(-1.3, 1.3, request.param).astype('f')
    W.ravel()[0] = 0
    return device.send(W)


def test_decoded_codes_are_the_quantized_weight(quantizer, weight):
    codes, codebook = quantizer.encode(weight)
    assert codes.shape == weight.shape
    assert codes.dtype.kind == 'u'
    assert int(codes.max()) < 2 ** quantizer.bits
    decoded = quantizers.decode(codes, codebook)
    assert decoded.dtype == weight.dtype
    assert bool((decoded == quantizer(weight).array).all())


def test_quantizing_twice_changes_nothing(quantizer, weight):
    if getattr(quantizer, 'sparsity', None):
        return  # a share of what is left would become zero
    quantizer.initialize_from(weight)
    once = quantizer(weight).array
    twice = quantizer(once).array
    if isinstance(quantizer, quantizers.TWN):
        # its scale is a mean, which is rounded anew
        assert float(abs(twice - once).max()) < 1e-6
    else:
        assert bool((twice == once).all())


def test_encode_leaves_the_weight(quantizer, weight):
    before = weight.copy()
    quantizer.encode(weight)
    assert bool((weight == before).all())


def test_copies_quantize_alike(quantizer, weight):
    quantizer.initialize_from(weight)
    expected = quantizer(weight).array
    for made in (copy.deepcopy(quantizer), quantizer.copy(),
                 pickle.loads(pickle.dumps(quantizer))):
        assert bool((made(weight).array == expected).all())


def test_it_says_what_it_is(quantizer):
    assert type(quantizer).__name__ in repr(quantizer)
    assert dict(quantizer.printable_specs)


def test_scales_have_their_signs(quantizer, weight):
    if quantizer.kind != 'ternary':
        assert quantizer.scales(weight) is None
        return
    if isinstance(quantizer, quantizers.TTQ):
        negative = quantizer.s_p if quantizer.relative else quantizer.Wp
        getattr(negative, 'array', negative)[...] = -.25
    Wp, Wn = quantizer.scales(weight)
    assert Wp.dtype == Wn.dtype == weight.dtype
    assert Wp.shape == Wn.shape == (
        weight.shape[:1] if getattr(quantizer, 'per_filter', None) else ())
    if Wp.ndim:
        Wp, Wn = [v.reshape((-1,) + (1,) * (weight.ndim - 1))
                  for v in (Wp, Wn)]
    values = quantizer(weight).array
    assert bool(((values == Wp) | (values == 0) | (values == -Wn)).all())
    assert bool((values == Wp)[(weight > 0) & (values != 0)].all())


@pytest.mark.parametrize('mode', ['share', 'copy', 'init'])
def test_copied_parameters(quantizer, mode):
    for param in quantizer.params():
        param.array[...] = 5
    for param, copied in zip(quantizer.params(),
                             quantizer.copy(mode).params()):
        assert (float(copied.array) == 5) == (mode != 'init')
        assert copied.dtype == param.dtype


def test_its_values_are_of_its_kind(quantizer, weight):
    values = to_cpu(quantizer(weight)).ravel()
    if quantizer.kind == 'binary':
        of_kind = abs(values) == 1
    elif quantizer.kind == 'ternary':
        n_filters = len(weight) if getattr(quantizer, 'per_filter', 0) else 1
        of_kind = len(set(values.tolist()) - {0}) <= 2 * n_filters
    elif quantizer.kind == 'uniform':
        of_kind = values % quantizer.step == 0
    else:
        assert quantizer.kind == 'powers'
        of_kind = numpy.isin(numpy.frexp(values)[0], (-.5, 0, .5))
    assert numpy.all(of_kind)


class Scaled(object):

    def forward(self, W):
        return super(Scaled, self).forward(W) * 2


def test_a_kind_is_of_the_forward_beside_it():
    class Renamed(quantizers.Sign):
        pass

    class Doubled(quantizers.Sign):
        def forward(self, W):
            return super(Doubled, self).forward(W) * 2

    class Mixed(Scaled, quantizers.TTQ):
        pass

    class Stated(Scaled, quantizers.Sign):
        kind = 'ternary'

    assert [cls.kind for cls in (Renamed, Doubled, Mixed, Stated)] == [
        'binary', 'codebook', 'codebook', 'ternary']
    assert Renamed.name is None


def test_names():
    assert set(quantizers.NAMED) == {
        'sign', 'stochastic_sign', 'linear', 'log', 'ttq', 'twn'}
    for name, cls in quantizers.NAMED.items():
        assert cls.name == name


@pytest.mark.parametrize('make', [
    lambda: quantizers.LinearQuant(1), lambda: quantizers.LinearQuant(17),
    lambda: quantizers.LogQuant(1), lambda: quantizers.LogQuant(9),
    lambda: quantizers.LogQuant(max_exponent=1),
    lambda: quantizers.TTQ(threshold=0), lambda: quantizers.TTQ(threshold=1),
    lambda: quantizers.TTQ(sparsity=1), lambda: quantizers.TTQ(sparsity=-.1),
    lambda: quantizers.TTQ(scales='other'), lambda: quantizers.TWN(0)])
def test_bad_options(make):
    with pytest.raises(ValueError):
        make()


@pytest.mark.parametrize('name', QUANTIZERS)
@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_what_is_not_finite_is_not_encoded(name, value):
    quantizer = QUANTIZERS[name]()
    with pytest.raises(ValueError, match='%s can not .* NaN or infinite' %
                       type(quantizer).__name__):
        quantizer.encode(numpy.array([[0, value]], 'f'))


@pytest.fixture(params=['compiled', 'NumPy'])
def form(request, monkeypatch):
    """The compiled kernels, and their NumPy forms."""
    if request.param == 'NumPy':
        monkeypatch.setattr(native, 'library', lambda: None)


@pytest.mark.parametrize('dtype', ['e', 'f', 'd'])
@pytest.mark.parametrize('order', ['C', 'F'])
def test_nan_stays_and_infinity_saturates(
        form, device, quantizer, dtype, order):
    W = numpy.random.uniform(-1.3, 1.3, (5, 70)).astype(dtype)
    W[0, 1], W[2, 3], W[3, 65] = numpy.inf, numpy.nan, -numpy.inf
    finite = W.copy()
    finite[0, 1], finite[2, 3], finite[3, 65] = 1.9, 0, -1.9
    W, finite = [device.send(numpy.asarray(a, order=order))
                 for a in (W, finite)]
    with numpy.errstate(invalid='ignore'):
        y = to_cpu(quantizer(W))
    if quantizer.kind == 'ternary':
        assert numpy.isnan(y[[0, 2, 3], [1, 3, 65]]).all()
        return
    expected = to_cpu(quantizer(finite)).copy()
    assert numpy.isfinite(expected).all()
    expected[2, 3] = numpy.nan
    numpy.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize('dtype', ['e', 'f', 'd'])
def test_clip_saturates_and_leaves_nan(form, device, dtype):
    x = device.send(numpy.array(
        [numpy.inf, -numpy.inf, numpy.nan, .25], dtype))
    clip.clip(x, -1., .5)
    numpy.testing.assert_array_equal(to_cpu(x), [.5, -1, numpy.nan, .25])


def test_decode_with_a_codebook_for_each_filter():
    codes = numpy.array([[[0, 1]], [[1, 0]]], numpy.uint8)
    codebook = numpy.array([[1, 2], [3, 4]], 'f')
    assert quantizers.decode(codes, codebook).tolist() == [
        [[1, 2]], [[4, 3]]]


def test_stochastic_sign_draws_only_in_training():
    W = numpy.zeros(100, 'f')
    link = quantizers.StochasticSign()
    with chainer.using_config('train', True):
        assert set(link(W).array.tolist()) == {-1, 1}
    with chainer.using_config('train', False):
        assert set(link(W).array.tolist()) == {1}
