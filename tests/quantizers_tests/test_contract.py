"""What every quantizer answers, tested once for all of them."""

import copy
import pickle

import chainer
import numpy
import pytest

from quantized_net import quantizers
from testing import to_cpu

QUANTIZERS = {
    'sign': quantizers.Sign,
    'stochastic_sign': quantizers.StochasticSign,
    'bwn': quantizers.BWN,
    'bwn_straight': lambda: quantizers.BWN('straight'),
    'dorefa1': lambda: quantizers.DoReFa(1),
    'dorefa2': lambda: quantizers.DoReFa(2),
    'dorefa8': lambda: quantizers.DoReFa(8),
    'dorefa16': lambda: quantizers.DoReFa(16),
    'dorefa_activation1': lambda: quantizers.DoReFaActivation(1),
    'dorefa_activation4': lambda: quantizers.DoReFaActivation(4),
    'dorefa_activation16': lambda: quantizers.DoReFaActivation(16),
    'lsq1': lambda: quantizers.LSQ(1),
    'lsq2': lambda: quantizers.LSQ(2),
    'lsq8': lambda: quantizers.LSQ(8),
    'lsq12': lambda: quantizers.LSQ(12),
    'lsq_activation1': lambda: quantizers.LSQActivation(1),
    'lsq_activation4': lambda: quantizers.LSQActivation(4),
    'lsq_activation_signed': lambda: quantizers.LSQActivation(3, True),
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
    'buckets4': lambda: quantizers.Buckets(4, 16),
    'buckets1': lambda: quantizers.Buckets(1),
    'buckets8_stochastic': lambda: quantizers.Buckets(8, 7, 'stochastic'),
    'points': lambda: quantizers.Points(3, 16),
    'points_of_more': lambda: quantizers.Points(2, most=9),
    'fixed8': lambda: quantizers.FixedPoint(2, 6),
    'fixed16': lambda: quantizers.FixedPoint(error=(2, 14)),
    'inq5': quantizers.INQ,
    'inq2': lambda: quantizers.INQ(2),
    'log': quantizers.LogQuant,
    'log2': lambda: quantizers.LogQuant(2),
    'log5': lambda: quantizers.LogQuant(5, max_exponent=-1),
}


@pytest.fixture(params=QUANTIZERS)
def quantizer(request, device):
    """Each of them, and what is learned as it may be after training."""
    link = QUANTIZERS[request.param]()
    for param, value in zip(link.params(), (.625, 1.75)):
        param.array[...] = value
    link.to_device(device)
    with chainer.using_config('train', False):
        yield link


def strided(W):
    """The same values, with others between them."""
    wide = numpy.full(W.shape[:-1] + (2 * W.shape[-1],), 9, W.dtype)
    wide[..., ::2] = W
    return wide[..., ::2]


WEIGHTS = [((1,), numpy.ascontiguousarray, 'f'),
           ((13, 7), numpy.ascontiguousarray, 'f'),
           ((4, 3, 5, 2), numpy.ascontiguousarray, 'f'),
           ((13, 7), numpy.asfortranarray, 'f'),
           ((4, 3, 5, 2), strided, 'f'),
           ((13, 7), numpy.ascontiguousarray, 'e'),
           ((4, 3, 5, 2), numpy.asfortranarray, 'd')]


@pytest.fixture(params=WEIGHTS, ids=lambda p: '%s-%s-%s' % (
    'x'.join(map(str, p[0])), p[1].__name__, p[2]))
def weight(request, device):
    shape, lay_out, dtype = request.param
    W = numpy.random.uniform(-1.3, 1.3, shape).astype(dtype)
    W.ravel()[0] = 0
    if device.xp is not numpy:
        return device.send(W)
    return lay_out(W)


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
    if isinstance(quantizer, quantizers.DoReFa) and quantizer.bits > 1:
        return  # tanh would move them again
    quantizer.initialize_from(weight)
    once = quantizer(weight).array
    twice = quantizer(once).array
    if isinstance(quantizer, (
            quantizers.BWN, quantizers.DoReFa, quantizers.TWN)):
        # its scale is a mean, which is rounded anew
        assert float(abs(twice - once).max()) < 1e-6
    else:
        assert bool((twice == once).all())


def test_gradients_are_of_the_dtype_of_what_they_belong_to(
        quantizer, weight):
    W = chainer.Parameter(weight)
    quantizer.cleargrads()
    y = quantizer(W)
    y.grad = y.xp.ones_like(y.array)
    y.backward()
    for param in (W, *quantizer.params()):
        assert param.grad.dtype == param.dtype
        assert bool(param.xp.isfinite(param.grad).all())


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


def has_a_scale_for_each_filter(quantizer):
    return isinstance(quantizer, quantizers.BWN) or getattr(
        quantizer, 'per_filter', False)


def test_scales_have_their_signs(quantizer, weight):
    if quantizer.scales(weight) is None:
        assert quantizer.kind != 'ternary'
        return
    if isinstance(quantizer, quantizers.TTQ):
        negative = quantizer.s_p if quantizer.relative else quantizer.Wp
        getattr(negative, 'array', negative)[...] = -.25
    Wp, Wn = quantizer.scales(weight)
    assert Wp.dtype == Wn.dtype == weight.dtype
    assert Wp.shape == Wn.shape == (
        weight.shape[:1] if has_a_scale_for_each_filter(quantizer) else ())
    if Wp.ndim:
        Wp, Wn = [v.reshape((-1,) + (1,) * (weight.ndim - 1))
                  for v in (Wp, Wn)]
    values = quantizer(weight).array
    assert bool(((values == Wp) | (values == 0) | (values == -Wn)).all())
    assert bool((values == Wp)[(weight > 0) & (values != 0)].all())
    assert bool((quantizers.decode(*quantizer.encode(weight)) == values).all())


@pytest.mark.parametrize('mode', ['share', 'copy', 'init'])
def test_copied_parameters(quantizer, mode):
    for param in quantizer.params():
        param.array[...] = 5
    for param, copied in zip(quantizer.params(),
                             quantizer.copy(mode).params()):
        assert bool((copied.array == 5).all()) == (mode != 'init')
        assert copied.dtype == param.dtype


def test_its_values_are_of_its_kind(quantizer, weight):
    quantizer.initialize_from(weight)
    values = to_cpu(quantizer(weight)).ravel()
    if quantizer.kind == 'binary':
        of_kind = abs(values) == 1
    elif quantizer.kind == 'ternary':
        n_filters = len(weight) if getattr(quantizer, 'per_filter', 0) else 1
        of_kind = len(set(values.tolist()) - {0}) <= 2 * n_filters
    elif quantizer.kind == 'uniform':
        multiples = values / float(getattr(
            quantizer.step, 'array', quantizer.step))
        of_kind = abs(multiples - multiples.round()) < 1e-3
    elif quantizer.kind == 'codebook':
        of_kind = numpy.isin(values, to_cpu(
            quantizers.values_of(quantizer.encode(weight)[1])))
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
        'buckets', 'bwn', 'dorefa', 'fixed_point', 'inq', 'linear', 'log',
        'lsq', 'points', 'sign', 'stochastic_sign', 'ttq', 'twn'}
    for name, cls in quantizers.NAMED.items():
        assert cls.name == name


@pytest.mark.parametrize('make', [
    lambda: quantizers.LinearQuant(1), lambda: quantizers.LinearQuant(17),
    lambda: quantizers.LogQuant(1), lambda: quantizers.LogQuant(9),
    lambda: quantizers.LogQuant(max_exponent=1),
    lambda: quantizers.Buckets(0), lambda: quantizers.Buckets(4, 0),
    lambda: quantizers.Buckets(rounding='up'), lambda: quantizers.Points(9),
    lambda: quantizers.Points(4, most=8), lambda: quantizers.Points(size=0),
    lambda: quantizers.FixedPoint(1, 0), lambda: quantizers.FixedPoint(3, 14),
    lambda: quantizers.FixedPoint(rounding='up'),
    lambda: quantizers.FixedPoint(error=(1, 0)),
    lambda: quantizers.INQ(1), lambda: quantizers.INQ(9),
    lambda: quantizers.TTQ(threshold=0), lambda: quantizers.TTQ(threshold=1),
    lambda: quantizers.TTQ(sparsity=1), lambda: quantizers.TTQ(sparsity=-.1),
    lambda: quantizers.TTQ(scales='other'), lambda: quantizers.TWN(0),
    lambda: quantizers.BWN('other'), lambda: quantizers.DoReFa(0),
    lambda: quantizers.DoReFa(17), lambda: quantizers.DoReFaActivation(2.5),
    lambda: quantizers.DoReFaGradient(0), lambda: quantizers.LSQ(0),
    lambda: quantizers.LSQ(17), lambda: quantizers.LSQActivation(1, True)])
def test_bad_options(make):
    with pytest.raises(ValueError):
        make()


@pytest.mark.parametrize('value', [
    numpy.nan, -numpy.nan, numpy.inf, -numpy.inf])
@pytest.mark.parametrize('at', [0, -1])
def test_what_is_not_finite_is_not_hidden(quantizer, weight, value, at):
    finite = to_cpu(quantizer(weight))
    weight[(at,) * weight.ndim] = value
    with numpy.errstate(invalid='ignore'):
        found = to_cpu(quantizer(weight))
    there = found[(at,) * weight.ndim]
    # the outermost level stands for what lies beyond it; a scale does not
    clips = quantizer.kind in ('binary', 'uniform', 'powers')
    if clips and numpy.isinf(value):
        assert there == numpy.sign(value) * abs(there)
    else:
        assert numpy.isnan(there)
    assert found.shape == finite.shape and found.dtype == finite.dtype


@pytest.mark.parametrize('name', QUANTIZERS)
@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_what_is_not_finite_is_not_encoded(name, value):
    quantizer = QUANTIZERS[name]()
    with pytest.raises(ValueError, match='%s can not .* NaN or infinite' %
                       type(quantizer).__name__):
        quantizer.encode(numpy.array([[0, value]], 'f'))


def test_decode_with_a_codebook_for_each_filter():
    codes = numpy.array([[[0, 1]], [[1, 0]]], numpy.uint8)
    codebook = numpy.array([[1, 2], [3, 4]], 'f')
    assert quantizers.decode(codes, codebook).tolist() == [
        [[1, 2]], [[4, 3]]]


@pytest.mark.parametrize('name', QUANTIZERS)
def test_all_readings_between_two_draws_agree(name, device):
    """In training, where values may be random."""
    W = device.send(numpy.random.uniform(-1, 1, (9, 8)).astype('f'))
    link = QUANTIZERS[name]()
    link.to_device(device)
    link.initialize_from(W)
    for _ in range(2):  # before the first draw, and after it
        state = device.xp.random.get_random_state() if (
            device.xp is not numpy) else numpy.random.get_state()[1].copy()
        first, second = [link(W).array for _ in range(2)]
        assert bool((first == second).all())
        assert bool((quantizers.decode(*link.encode(W)) == first).all())
        if device.xp is numpy:  # what looks draws nothing
            assert (numpy.random.get_state()[1] == state).all()
        link.draw(W)


def test_stochastic_sign_draws_anew_for_each_forward(device):
    W = device.send(numpy.zeros(100, 'f'))
    link = quantizers.StochasticSign()
    link.to_device(device)
    assert set(to_cpu(link(W)).tolist()) == {1}  # nothing drawn yet
    link.draw(W)
    first = to_cpu(link(W))
    assert set(first.tolist()) == {-1, 1}
    link.draw(W)
    assert (to_cpu(link(W)) != first).any()
    with chainer.using_config('train', False):
        assert set(to_cpu(link(W)).tolist()) == {1}
        assert bool((link.encode(W)[0] == 1).all())
    # of another shape: nothing drawn
    assert set(to_cpu(link(W[:50])).tolist()) == {1}
