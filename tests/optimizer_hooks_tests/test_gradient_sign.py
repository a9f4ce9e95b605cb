"""GradientSign."""

import chainer
import numpy

from quantized_net import optimizer_hooks


def test_every_weight_moves_by_the_same_step(device):
    link = chainer.links.Linear(3, 2)
    link.to_device(device)
    optimizer = chainer.optimizers.SGD(.5).setup(link)
    optimizer.add_hook(optimizer_hooks.GradientSign())
    before = link.W.array.copy()
    link.cleargrads()
    gradient = numpy.array([[-3, 0, .1], [1e-9, 5, -.2]], 'f')
    link.W.grad = device.send(gradient)
    optimizer.update()  # the bias has no gradient
    numpy.testing.assert_allclose(
        chainer.get_device('@numpy').send(before - link.W.array),
        .5 * numpy.sign(gradient), atol=1e-6)
