"""What every quantizer answers, tested once for all of them."""

import copy
import pickle

import chainer
import numpy
import pytest

from quantized_net import quantizers
from quantizer_cases import QUANTIZERS
from testing import to_cpu


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
    quantizer.initialize_from(weight)
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


def level_of(W, levels, boundaries):
    """The level of every weight, from those of all or of its filter."""
    if levels.ndim == 2:
        return numpy.stack([
            level_of(*row) for row in zip(W, levels, boundaries)])
    return levels[numpy.searchsorted(boundaries, W.ravel())].reshape(W.shape)


def test_levels_and_their_boundaries(quantizer, weight):
    if isinstance(quantizer, (quantizers.Buckets, quantizers.Points)):
        with pytest.raises(ValueError, match='can not be annealed'):
            quantizer.levels(weight)
        return
    levels, boundaries = [to_cpu(a) for a in quantizer.levels(weight)]
    assert levels.shape[-1] == boundaries.shape[-1] + 1
    assert levels.dtype == boundaries.dtype == weight.dtype
    assert (numpy.diff(levels, axis=-1) >= 0).all()
    if weight.dtype == numpy.float16 and quantizer.bits == 16:
        return  # every weight is a level
    W = to_cpu(weight)
    on_boundary = numpy.isin(W, boundaries)
    expected = level_of(W, levels, boundaries)
    found = to_cpu(quantizer(weight))
    if isinstance(quantizer, quantizers.TWN):
        numpy.testing.assert_allclose(found, expected, 1e-6)
    else:
        assert (found == expected)[~on_boundary].all()
    # there are all those levels, and no others
    assert numpy.isin(to_cpu(quantizers.values_of(
        quantizer.encode(weight)[1])), levels).all()


def test_levels_of_a_quantizer_that_does_not_state_them():
    class Plain(quantizers.TWN):
        levels = quantizers.Quantizer.levels

    W = numpy.random.normal(size=(4, 9)).astype('f')
    for per_filter in (False, True):
        levels, boundaries = Plain(per_filter=per_filter).levels(W)
        expected = quantizers.TWN(per_filter=per_filter).levels(W)[0]
        assert levels.shape == expected.shape and (levels == expected).all()
        halfway = expected[..., 1] + expected[..., [0, 2]].T / 2
        assert (boundaries == halfway.T).all()


def test_softened_in_training_alone(quantizer, weight):
    if isinstance(quantizer, (quantizers.Buckets, quantizers.Points)) or (
            type(quantizer).soften is not quantizers.Quantizer.soften):
        return  # has no levels for all, or a way of its own
    quantizer.initialize_from(weight)
    hard = to_cpu(quantizer(weight))
    W = chainer.as_variable(weight)
    quantizer.inverse_slope = .5
    assert (to_cpu(quantizer.soften(W)) == hard).all()
    if isinstance(
            quantizer, (quantizers.StochasticSign, quantizers.FixedPoint)):
        return  # in training they draw, or round halves in another way
    with chainer.using_config('train', True):
        softened = to_cpu(quantizer.soften(W))
        quantizer.inverse_slope = 0
        assert (to_cpu(quantizer.soften(W)) == hard).all()
    if weight.size > 1 and not (
            weight.dtype == numpy.float16 and quantizer.bits == 16):
        levels = to_cpu(quantizer.levels(weight)[0])
        assert not numpy.isin(softened, levels).all()


@pytest.mark.parametrize('make', [
    quantizers.Sign, quantizers.StochasticSign, quantizers.LinearQuant,
    quantizers.LogQuant])
def test_the_gradient_ends_at_one_by_default(make):
    W = chainer.Parameter(numpy.array(
        [-1.25, -1, -.5, 0, .5, 1, 1.25], 'f'))
    chainer.functions.sum(make()(W)).backward()
    assert W.grad.tolist() == [0, 1, 1, 1, 1, 1, 0]


def test_defaults():
    assert quantizers.LinearQuant().bits == 8
    assert {name for name, _ in quantizers.TTQ().namedparams()} == {
        '/Wp', '/Wn'}
    specs = [dict(quantizers.TTQ(scales=scales).printable_specs)['scales']
             for scales in ('absolute', 'relative')]
    assert specs == ['absolute', 'relative']


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
        if weight.dtype == numpy.float16 and quantizer.bits > 8:
            return  # more levels than it has numbers
        multiples = values.astype('d') / float(getattr(
            quantizer.step, 'array', quantizer.step))
        of_kind = abs(multiples - multiples.round()) < (
            .13 if weight.dtype == numpy.float16 else .01)
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
