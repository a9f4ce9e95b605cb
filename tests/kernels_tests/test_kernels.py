"""The compiled kernels beside their references."""

import importlib.machinery
import os
import subprocess
import sys

import numpy
import pytest

from quantized_net.kernels import adam
from quantized_net.kernels import native
from quantized_net.kernels import powers_of_two
from quantized_net.kernels import signatures

needs_native = pytest.mark.skipif(
    native.library() is None,
    reason='the kernels are not compiled here (see show_config())')


@needs_native
@pytest.mark.parametrize('n', [0, 1, 7, 64, 1000003])
@pytest.mark.parametrize('scalars', [
    (.1, .001, 1e-8, .001, 1.), (.5, .01, 1e-3, .7, .3)])
def test_adam_gives_the_same_bits(n, scalars):
    arrays = [numpy.random.normal(size=n).astype('f') for _ in range(4)]
    arrays[3] *= arrays[3]
    if n > 8:
        arrays[1][3:8] = [0, -0., numpy.inf, numpy.nan, 1e-42]
    others = [a.copy() for a in arrays]
    with numpy.errstate(all='ignore'):
        adam.reference(*arrays, *scalars)
    adam.adam_update(*others, *scalars)
    for a, b in zip(arrays, others):
        numpy.testing.assert_array_equal(a, b)


@needs_native
@pytest.mark.parametrize('shape', [(), (1,), (7, 9), (1000, 333)])
@pytest.mark.parametrize('largest', [1., .25])
def test_powers_of_two_give_the_same_bits(shape, largest):
    x = numpy.asarray(numpy.random.normal(size=shape), 'f')
    if x.size > 20:
        x.ravel()[:9] = [0, -0., numpy.nan, numpy.inf, -numpy.inf, 1e-42,
                         -1e-42, 1.4142135, 1.4142137]
    expected = powers_of_two.reference(x, largest)
    found = powers_of_two.to_powers_of_two(x, largest)
    assert found.shape == shape
    numpy.testing.assert_array_equal(
        found.view('u4'), expected.view('u4'))


@needs_native
def test_nothing_is_written_beyond_the_end():
    buffers = [numpy.full(40, 3, 'f') for _ in range(4)]
    assert native.call('adam', *[b[8:27] for b in buffers], 19, .1, .001,
                       1e-8, .001, 1.)
    for b in buffers:
        assert (b[:8] == 3).all() and (b[27:] == 3).all()
    assert (buffers[0][8:27] != 3).all()


IS_BUILT = any(
    os.path.exists(os.path.join(os.path.dirname(native.__file__),
                                '_native' + suffix))
    for suffix in importlib.machinery.EXTENSION_SUFFIXES)


@pytest.mark.parametrize('kernels,expected', [
    ('numpy', 'kernels: NumPy (QUANTIZED_NET_KERNELS=numpy)\n'),
    ('native', 'kernels: compiled (' if IS_BUILT
     else 'kernels: NumPy (not compiled: '),
    ('fast', 'ValueError')])
def test_switch(kernels, expected):
    done = subprocess.run(
        [sys.executable, '-c',
         'import quantized_net; quantized_net.show_config()'],
        capture_output=True, text=True, timeout=60,
        env=dict(os.environ, QUANTIZED_NET_KERNELS=kernels,
                 PYTHONPATH=os.pathsep.join(p for p in sys.path if p)))
    assert expected in done.stdout + done.stderr


class Idle(object):

    """A library of which one kernel says that it has worked, and has not."""

    def __init__(self, whole, name):
        self._whole = whole
        self._idle = 'quantized_net_' + name

    def __getattr__(self, name):
        return (lambda *args: 0) if name == self._idle else getattr(
            self._whole, name)


@needs_native
def test_the_self_test_agrees():
    assert native._agrees_with_references(native.library())


@needs_native
@pytest.mark.parametrize('name', signatures.SIGNATURES)
def test_the_self_test_sees_every_kernel(monkeypatch, name):
    filled = numpy.empty  # what is not written is 7

    def empty(*args, **options):
        made = filled(*args, **options)
        made[...] = 7
        return made
    monkeypatch.setattr(numpy, 'empty', empty)
    monkeypatch.setattr(
        numpy, 'empty_like', lambda a, **options: empty(a.shape, a.dtype))
    assert not native._agrees_with_references(Idle(native.library(), name))


@needs_native
def test_failed_self_test_falls_back(monkeypatch):
    monkeypatch.setattr(native, '_agrees_with_references', lambda found: False)
    with pytest.warns(UserWarning, match='does not agree'):
        assert native._load.__wrapped__()[0] is None


def test_without_kernels_it_says_why():
    found, text = native._load()
    assert (found is None) == ('NumPy (' in text)
