"""Small cases of every compiled kernel beside its NumPy form."""

import numpy

from quantized_net.kernels import adam
from quantized_net.kernels import addition
from quantized_net.kernels import batch_normalization as bn
from quantized_net.kernels import clip
from quantized_net.kernels import codes as small
from quantized_net.kernels import convolution as conv
from quantized_net.kernels import fixed_point
from quantized_net.kernels import momentum_sgd
from quantized_net.kernels import pooling
from quantized_net.kernels import powers_of_two
from quantized_net.kernels import sign_product
from quantized_net.kernels import straight_through
from quantized_net.kernels import ternary


def agrees():
    """Whether the kernels in use agree with their references."""
    rng = numpy.random.RandomState(0)

    def draw(*shape):
        return rng.uniform(-1, 1, shape).astype(numpy.float32)

    return all(
        (numpy.asarray(a) == b).all() if exactly
        else numpy.allclose(a, b, rtol=1e-4, atol=1e-5)
        for exactly, found, expected in _cases(draw)
        for a, b in zip(found, expected))


def _cases(draw):
    """Whether to the last bit, what the kernel gives, and its reference."""
    # 67: a whole number of no vector
    arrays = [draw(67) for _ in range(4)]
    arrays[3] *= arrays[3]
    others = [a.copy() for a in arrays]
    for (x, g, m, v), adam_update, sgd_update in (
            (arrays, adam.adam_update, momentum_sgd.momentum_sgd_update),
            (others, adam.reference, momentum_sgd.reference)):
        adam_update(x, g, m, v, .1, .001, 1e-8, .003, 1.)
        sgd_update(x, g, m, .1, .9, .01)
        sgd_update(x, g, m, .1, .9, .01, True)
    yield True, arrays, others

    x = numpy.concatenate([draw(67), numpy.array(
        [0, -0., 1.4142135, 1.4142137, 9], numpy.float32)])
    yield True, [powers_of_two.to_powers_of_two(x, 2.)], [
        powers_of_two.reference(x, 2.)]
    for key in (None, 0x123456789abcdef):
        yield True, [fixed_point.to_multiples(x, 8., -7, 9, key)], [
            fixed_point.reference(x, 8., -7, 9, key)]
    clipped, expected = x.copy(), x.copy()
    clip.clip(clipped, -.5, .25)
    clip.reference(expected, -.5, .25)
    yield True, [clipped], [expected]
    yield True, [straight_through.sign(x)], [
        straight_through.sign_reference(x)]
    yield True, [straight_through.pass_inside(x, x[::-1], .5)], [
        straight_through.pass_inside_reference(x, x[::-1], .5)]
    a, signs = draw(7, 300), numpy.sign(draw(300, 83))
    for s in (signs, numpy.asfortranarray(signs)):
        yield False, [sign_product.sign_product(a, s)], [
            sign_product.reference(a, s)]
    delta, Wp, Wn = numpy.array([.3, .8, 1.2], numpy.float32)
    y, codes = ternary.ternary(x, delta, Wp, Wn)
    yield True, (y, codes), ternary.ternary_reference(x, delta, Wp, Wn)
    yield True, [ternary.largest_magnitude(x)], [abs(x).max()]
    yield (False, ternary.ternary_gradient(x, codes, Wp, Wn),
           ternary.ternary_gradient_reference(x, codes, Wp, Wn))

    for geometry, channels in (
            (conv.Geometry((3, 3), (1, 1), (1, 1), (1, 1), 1), 19),
            (conv.Geometry((3, 2), (2, 1), (1, 0), (1, 2), 2), 6)):
        x = draw(2, channels, 7, 6)
        W = draw(38, channels // geometry.groups, *geometry.kernel)
        b = draw(38)
        out_size = (7, 6) if channels == 19 else (4, 4)
        gy = draw(2, 38, *out_size)
        yield False, [
            conv.convolution(x, W, b, geometry, out_size),
            conv.gradient_x(gy, W, geometry, (7, 6)),
            conv.gradient_W(x, gy, geometry),
        ], [
            conv.convolution_reference(x, W, b, geometry, out_size),
            conv.gradient_x_reference(gy, W, geometry, (7, 6)),
            conv.gradient_W_reference(x, gy, geometry)]

    geometry = conv.Geometry((3, 3), (1, 1), (1, 1), (1, 1), 1)
    inputs, weights = numpy.sign(draw(2, 19, 7, 16)), draw(38, 19, 3, 3)
    signs, eighths = small.Grid(1., 1), small.Grid(.125, 8)
    for x, W, grids in (
            (inputs, numpy.sign(weights), (signs, signs)),
            (inputs, numpy.where(weights > .3, weights.max(), numpy.where(
                weights < -.3, weights.min(), numpy.float32(0))),
             (signs, None)),
            (numpy.rint(8 * draw(2, 19, 7, 16)) / 8,
             numpy.rint(8 * weights) / 8, (eighths, eighths))):
        yield True, [small.convolve(x, W, None, geometry, (7, 16), grids)], [
            small.reference(
                x, W, grids, lambda x, W: conv.convolution_reference(
                    x, W, None, geometry, (7, 16)))]

    x, gy, residual = draw(3, 8, 5, 4, 3)
    gamma, beta, mean = draw(3, 5)
    inv_std = abs(draw(5))
    total, expected = x.transpose(0, 2, 3, 1).copy().transpose(
        0, 3, 1, 2), x.copy()
    addition.add_to(total, residual)
    addition.reference(expected, residual)
    yield True, [total], [expected]
    yield False, bn.moments(x), bn.moments_reference(x)
    y = bn.normalize(x, mean, gamma, beta, residual, True)
    yield False, [y], [bn.normalize_reference(
        x, mean, gamma, beta, residual, True)]
    args = x, gy, mean, inv_std, gamma, beta, residual
    yield False, bn.gradients(*args), bn.gradients_reference(*args)

    window = (2, 2), (2, 2), (0, 0)
    windows = x[:, :, :4, :2].reshape(8, 5, 2, 2, 1, 2)
    y, places = pooling.max_pooling(x, *window, out_size=(2, 1))
    yield True, [y], [windows.max(axis=(3, 5))]
    gx = pooling.max_pooling_gradient(y, places, *window, in_size=(4, 3))
    yield True, [gx], [x * (gx != 0)]
    yield True, [(gx != 0).sum()], [y.size]
    yield False, [pooling.average_pooling(x, *window, out_size=(2, 1))], [
        windows.mean(axis=(3, 5))]
    gx = pooling.average_pooling_gradient(y, *window, in_size=(4, 3))
    yield False, [gx[:, :, :, :2]], [y.repeat(2, 2).repeat(2, 3) / 4]
