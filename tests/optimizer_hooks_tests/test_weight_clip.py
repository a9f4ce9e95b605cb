"""WeightClip."""

import chainer
from chainer import links as L
import numpy
import pytest

from quantized_net import links
from quantized_net import quantizers
import weight_clip


class Model(chainer.Chain):

    def __init__(self):
        super(Model, self).__init__()
        with self.init_scope():
            self.float = L.Linear(3, 4)
            self.l1 = links.QuantizedLinear(
                4, 2, weight_quantizer=quantizers.Sign())
            self.plain = links.QuantizedLinear(2, 2)  # and not quantized
            self.inputs = links.QuantizedConvolution2D(
                2, 2, 1, input_quantizer=quantizers.Sign())
            self.bn = L.BatchNormalization(2)
            self.empty = L.Linear(None, 2)  # not yet initialized


@pytest.fixture
def model(device):
    model = Model()
    for param in model.params():
        if param.array is not None:
            param.array[...] = numpy.random.uniform(-3, 3, param.shape)
            param.array.ravel()[0] = 2.5
    model.to_device(device)
    return model


def clipped(model, **options):
    """Paths of the parameters that one update with a zero gradient moves."""
    optimizer = chainer.optimizers.SGD(lr=0).setup(model)
    optimizer.add_hook(weight_clip.WeightClip(**options))
    before = {}
    model.cleargrads()
    for path, param in model.namedparams():
        if param.array is not None:
            param.grad = param.xp.zeros_like(param.array)
            before[path] = param.array.copy()
    optimizer.update()
    moved = set()
    for path, old in before.items():
        new = dict(model.namedparams())[path].array
        if bool((new != old).any()):
            moved.add(path)
            assert bool((new == old.clip(
                options.get('low', -1), options.get('high', 1))).all())
    return moved


def test_latent_weights_of_quantized_layers_alone(model):
    assert clipped(model) == {'/l1/W'}


def test_bounds(model):
    assert clipped(model, low=-.5, high=.25) == {'/l1/W'}


def test_all_as_the_original_code(model):
    assert clipped(model, params='all') == {
        '/float/W', '/float/b', '/l1/W', '/l1/b', '/bn/gamma', '/bn/beta',
        '/empty/b', '/plain/W', '/plain/b', '/inputs/W', '/inputs/b'}


@pytest.mark.parametrize('params,expected', [
    ('gamma', {'/bn/gamma'}), (['W'], {
        '/float/W', '/l1/W', '/plain/W', '/inputs/W'}),
    (['/l1/W', 'beta'], {'/l1/W', '/bn/beta'})])
def test_named_parameters(model, params, expected):
    assert clipped(model, params=params) == expected


def test_it_runs_after_the_update(model):
    optimizer = chainer.optimizers.SGD(lr=10).setup(model)
    optimizer.add_hook(weight_clip.WeightClip())
    model.cleargrads()
    for param in model.params():
        if param.array is not None:
            param.grad = param.xp.ones_like(param.array)
    optimizer.update()
    assert bool((model.l1.W.array == -1).all())


def test_frozen_layers_stay(model):
    """Chainer's two ways of freezing."""
    optimizer = chainer.optimizers.SGD(lr=0).setup(model)
    optimizer.add_hook(weight_clip.WeightClip(params='all'))
    model.l1.disable_update()
    model.float.W.update_rule = None
    before = [p.array.copy() for p in (model.l1.W, model.float.W)]
    model.cleargrads()
    optimizer.update()
    for p, old in zip((model.l1.W, model.float.W), before):
        assert bool((p.array == old).all())
    assert bool((abs(model.float.b.array) <= 1).all())


def test_name_that_matches_nothing(model):
    with pytest.raises(ValueError, match='delta'):
        clipped(model, params='delta')


def test_model_without_quantized_layer():
    with pytest.raises(ValueError, match='no layer'):
        clipped(L.Linear(3, 2))


def test_bounds_the_wrong_way_round():
    with pytest.raises(ValueError):
        weight_clip.WeightClip(1, -1)
