"""What becomes of NaN and infinity, in every quantizer."""

import numpy
import pytest

from quantized_net.kernels import clip
from quantized_net.kernels import native
from quantizer_cases import QUANTIZERS
from testing import to_cpu


def test_what_is_not_finite_is_not_hidden(quantizer, weight):
    for at in (0, -1):
        for value in (numpy.nan, numpy.inf, -numpy.inf):
            W = weight.copy(order='K')
            W[(at,) * W.ndim] = value
            with numpy.errstate(all='ignore'):
                found = to_cpu(quantizer(W))
            there = found[(at,) * W.ndim]
            if numpy.isfinite(there):
                # the outermost level stands for what lies beyond it
                assert there == (
                    found.max() if value > 0 else found.min()), value
                assert quantizer.kind != 'ternary'
            assert numpy.isnan(there) or not numpy.isnan(value)


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


# Those whose levels are the same for all weights; of the others a NaN is in
# the scale, and so in every value (the test above).
OWN_LEVELS = [name for name in QUANTIZERS if name.startswith(
    ('sign', 'stochastic', 'dorefa_activation', 'linear', 'log', 'ttq',
     'twn'))]


@pytest.mark.parametrize('dtype', ['e', 'f', 'd'])
@pytest.mark.parametrize('order', ['C', 'F'])
@pytest.mark.parametrize('quantizer', OWN_LEVELS, indirect=True)
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
