"""The blocked Adam beside Chainer's."""

import chainer
import numpy
import pytest

from quantized_net import optimizers


@pytest.mark.parametrize('shape', [(), (1,), (7, 3), (2, 40000)])
@pytest.mark.parametrize('dtype', ['e', 'f', 'd'])
@pytest.mark.parametrize('options', [
    {}, {'alpha': .1, 'beta1': .5, 'eta': .7}, {'amsgrad': True},
    {'adabound': True}, {'weight_decay_rate': .1}])
def test_same_bits_as_chainer(device, shape, dtype, options):
    options = dict(options, eps=1e-4)  # float16 needs one that it can hold
    links = []
    for cls in (chainer.optimizers.Adam, optimizers.Adam):
        link = chainer.Link()
        with link.init_scope():
            link.p = chainer.Parameter(numpy.linspace(
                -1, 1, int(numpy.prod(shape))).astype(dtype).reshape(shape))
        link.to_device(device)
        links.append((link, cls(**options).setup(link)))
    for _ in range(4):
        grad = numpy.random.normal(size=shape).astype(dtype)
        for link, optimizer in links:
            link.p.grad = device.send(numpy.asarray(grad))
            optimizer.update()
    assert bool((links[0][0].p.array == links[1][0].p.array).all())
    assert not bool((links[0][0].p.array.ravel()[:1] == -1).all())


def test_gradient_that_is_not_contiguous():
    link = chainer.links.Linear(4, 3)
    optimizer = optimizers.Adam().setup(link)
    link.cleargrads()
    link.W.grad = numpy.ones((4, 3), 'f').T
    before = link.W.array.copy()
    optimizer.update()
    numpy.testing.assert_allclose(link.W.array, before - .001, 1e-4)


@pytest.mark.parametrize('cls', [
    optimizers.Adam, optimizers.MomentumSGD])
def test_state_of_another_shape(cls):
    """As a file of another model has it: Chainer's error."""
    link = chainer.links.Linear(400, 300)
    optimizer = cls().setup(link)
    link.cleargrads()
    link.W.grad = numpy.ones((300, 400), 'f')
    optimizer.update()
    for name in link.W.update_rule.state:
        link.W.update_rule.state[name] = numpy.zeros((3, 4), 'f')
    with pytest.raises(ValueError, match='broadcast'):
        optimizer.update()


def test_rate_that_is_an_array():
    """NumPy computes with it in float64, as in Chainer's."""
    found = []
    for cls in (chainer.optimizers.Adam, optimizers.Adam):
        link = chainer.Link()
        with link.init_scope():
            link.p = chainer.Parameter(numpy.linspace(-1, 1, 999).astype('f'))
        optimizer = cls(alpha=numpy.array(1e-3)).setup(link)
        for i in range(3):
            link.p.grad = numpy.cos(numpy.arange(999, dtype='f') * (i + 1))
            optimizer.update()
        found.append(link.p.array)
    numpy.testing.assert_array_equal(*found)
