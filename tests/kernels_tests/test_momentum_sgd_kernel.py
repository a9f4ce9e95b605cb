"""The update of momentum SGD beside its reference and Chainer's."""

import chainer
import numpy
import pytest

from quantized_net.kernels import momentum_sgd
from quantized_net.kernels import native

needs_native = pytest.mark.skipif(
    native.library() is None,
    reason='the kernels are not compiled here (see show_config())')

SCALARS = [(.1, .9, .01), (.01, .5, 0.), (1e-3, 0., 5e-4), (1., .99, 2.)]
NESTEROV = [scalars + (True,) for scalars in SCALARS]


@needs_native
@pytest.mark.parametrize('n', [1, 7, 64, 1000003])
@pytest.mark.parametrize('scalars', SCALARS + NESTEROV)
def test_same_bits_as_the_reference(n, scalars):
    arrays = [numpy.random.normal(size=n).astype('f') for _ in range(3)]
    if n > 8:
        for a in arrays[1:]:
            a[3:9] = [0, -0., numpy.inf, numpy.nan, 1e-42, -numpy.inf]
    others = [a.copy() for a in arrays]
    with numpy.errstate(all='ignore'):
        momentum_sgd.reference(*arrays, *scalars)
    momentum_sgd.momentum_sgd_update(*others, *scalars)
    for a, b in zip(arrays, others):
        numpy.testing.assert_array_equal(a, b)


@needs_native
@pytest.mark.parametrize('scalars', SCALARS + NESTEROV)
def test_infinite_parameters(scalars):
    arrays = [numpy.ones(4, 'f') for _ in range(3)]
    arrays[0][:] = [numpy.inf, -numpy.inf, numpy.nan, 1]
    others = [a.copy() for a in arrays]
    with numpy.errstate(all='ignore'):
        momentum_sgd.reference(*arrays, *scalars)
    momentum_sgd.momentum_sgd_update(*others, *scalars)
    for a, b in zip(arrays, others):
        numpy.testing.assert_array_equal(a, b)


@pytest.mark.parametrize('dtype', ['f', 'd'])
@pytest.mark.parametrize('scalars', SCALARS)
def test_same_bits_as_chainer(dtype, scalars):
    lr, momentum, decay = scalars
    link = chainer.Link()
    x, v = numpy.linspace(-1, 1, 1001).astype(dtype), numpy.zeros(1001, dtype)
    with link.init_scope():
        link.p = chainer.Parameter(x.copy())
    optimizer = chainer.optimizers.MomentumSGD(lr, momentum).setup(link)
    optimizer.add_hook(chainer.optimizer_hooks.WeightDecay(decay))
    for _ in range(5):
        g = numpy.random.normal(size=1001).astype(dtype)
        link.p.grad = g.copy()
        optimizer.update()
        momentum_sgd.momentum_sgd_update(x, g, v, lr, momentum, decay)
        numpy.testing.assert_array_equal(x, link.p.array)
        numpy.testing.assert_array_equal(v, link.p.update_rule.state['v'])


@pytest.mark.parametrize('dtype', ['f', 'd'])
@pytest.mark.parametrize('scalars', SCALARS)
def test_nesterov(dtype, scalars):
    """The buffer of gradients and the look ahead, as PyTorch writes them."""
    lr, momentum, decay = scalars
    x, v = numpy.linspace(-1, 1, 1001).astype(dtype), numpy.zeros(1001, dtype)
    y, buffer = x.astype('d'), 0
    for _ in range(5):
        g = numpy.random.normal(size=1001).astype(dtype)
        momentum_sgd.momentum_sgd_update(x, g, v, lr, momentum, decay, True)
        total = g + decay * y
        buffer = momentum * buffer + total
        y = y - lr * (total + momentum * buffer)
        tolerance = 1e-4 if dtype == 'f' else 1e-12
        numpy.testing.assert_allclose(x, y, tolerance, tolerance)
        numpy.testing.assert_allclose(v, -lr * buffer, tolerance, tolerance)


@needs_native
def test_nothing_is_written_outside():
    for n in (1, 19, 64):
        buffers = [numpy.full(n + 128, 3, 'f') for _ in range(3)]
        assert native.call(
            'momentum_sgd', *[b[64:64 + n] for b in buffers], n, .1, .9, .01,
            False)
        for b in buffers:
            assert (b[:64] == 3).all() and (b[64 + n:] == 3).all()
        assert (buffers[0][64:64 + n] != 3).all()
        assert (buffers[1] == 3).all()  # the gradient is only read
        assert (buffers[2][64:64 + n] != 3).all()
