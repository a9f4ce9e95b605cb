import chainer
import numpy
import pytest

from quantizer_cases import QUANTIZERS


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
