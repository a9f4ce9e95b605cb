"""Chainer's own behaviour under the patches, on what is installed."""

import io
import os
import pickle
import subprocess
import sys
import types

import chainer
from chainer import functions as F
from chainer import links as L
from chainer import training
from chainer.training import extensions
import numpy
import pytest

from quantized_net import _compat


def python(code, *options):
    """Runs a program in a new interpreter; returns what it prints."""
    done = subprocess.run(
        [sys.executable, *options, '-c', code], capture_output=True,
        text=True, timeout=120,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(
            p for p in sys.path if p)))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_first_without_any_warning():
    assert python(
        'import quantized_net, chainer, numpy\n'
        'y = chainer.functions.relu(numpy.array([-1, 2], "f"))\n'
        'print(y.array.tolist())', '-W', 'error') == '[0.0, 2.0]'


def test_import_needs_no_pkg_resources():
    assert python(
        'import sys\n'
        'sys.modules["setuptools"] = None\n'
        'import quantized_net, chainer.testing\n'
        'print("pkg_resources" in sys.modules)', '-W', 'error') == 'False'


def test_import_after_chainer():
    # with NumPy 2 the first import fails by itself, and is repaired
    assert python(
        'import sys, warnings\n'
        'warnings.simplefilter("ignore")\n'
        'sys.modules["chainer._environment_check"] = type(sys)("c")\n'
        'sys.modules["chainer._environment_check"].check = lambda: None\n'
        'try:\n'
        '    import chainer\n'
        'except AttributeError as e:\n'
        '    assert "sctypes" in str(e)\n'
        'import quantized_net, chainer, numpy\n'
        'from chainer.functions.array import as_strided\n'
        'x = chainer.Variable(numpy.ones((4,), "f"))\n'
        'y = as_strided.as_strided(x, (3, 2), (1, 1), 0)\n'
        'chainer.functions.sum(y).backward()\n'
        'print(x.grad.tolist())') == '[1.0, 2.0, 2.0, 1.0]'


@pytest.mark.parametrize('name', ['_PYTHON', '_NUMPY'])
def test_what_was_never_tried(monkeypatch, name):
    assert _compat.untried() is None
    monkeypatch.setattr(_compat, name, (1, 0))
    line = _compat.untried()
    assert {'_PYTHON': 'Python 3', '_NUMPY': 'NumPy '}[name] in line[:9]
    assert '\n' not in line


def test_second_install_does_nothing():
    add = chainer.reporter.Summary.add
    _compat.install()
    assert chainer.reporter.Summary.add is add


def test_forkserver_child_has_the_patches(tmp_path):
    script = tmp_path / 'script.py'
    script.write_text(
        'import quantized_net, chainer, multiprocessing, numpy\n'
        'if __name__ == "__main__":\n'
        '    multiprocessing.set_start_method("forkserver")\n'
        '    data = chainer.datasets.TupleDataset(\n'
        '        numpy.arange(6, dtype="f"), numpy.arange(6))\n'
        '    it = chainer.iterators.MultiprocessIterator(\n'
        '        data, 3, repeat=False, shuffle=False, n_processes=1)\n'
        '    print([[int(y) for _, y in batch] for batch in it])\n'
        '    it.finalize()\n')
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True,
        timeout=120, env=dict(os.environ, PYTHONPATH=os.pathsep.join(
            p for p in sys.path if p)))
    assert done.stdout.strip() == '[[0, 1, 2], [3, 4, 5]]', done.stderr


def test_convolution():
    x, W, gy = [
        numpy.random.uniform(-1, 1, shape).astype('f')
        for shape in ((2, 3, 6, 5), (4, 3, 3, 3), (2, 4, 6, 5))]
    xv, Wv = chainer.Variable(x), chainer.Variable(W)
    y = F.convolution_2d(xv, Wv, pad=1)
    y.grad = gy
    y.backward()
    padded = numpy.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = numpy.lib.stride_tricks.sliding_window_view(
        padded, (3, 3), (2, 3))
    numpy.testing.assert_allclose(
        y.array, numpy.einsum('nchwij,ocij->nohw', windows, W), 1e-4, 1e-5)
    numpy.testing.assert_allclose(
        Wv.grad, numpy.einsum('nchwij,nohw->ocij', windows, gy), 1e-4, 1e-5)
    # the convolution is linear in x: <gy, conv(d)> = <gx, d>
    d = numpy.random.uniform(-1, 1, x.shape).astype('f')
    numpy.testing.assert_allclose(
        (gy * F.convolution_2d(d, W, pad=1).array).sum(),
        (xv.grad * d).sum(), 1e-4)


def test_batch_normalization():
    x = numpy.random.uniform(-1, 3, (20, 4)).astype('f')
    bn = L.BatchNormalization(4, decay=.9)
    mean, var = x.mean(axis=0), x.var(axis=0)
    numpy.testing.assert_allclose(
        bn(x).array, (x - mean) / numpy.sqrt(var + 2e-5), 1e-4, 1e-5)
    numpy.testing.assert_allclose(bn.avg_mean, .1 * mean, 1e-5)
    numpy.testing.assert_allclose(
        bn.avg_var, .9 + .1 * var * 20 / 19, 1e-5)
    with chainer.using_config('train', False):
        numpy.testing.assert_allclose(
            bn(x).array, (x - bn.avg_mean) / numpy.sqrt(bn.avg_var + 2e-5),
            1e-4, 1e-5)


def test_adam():
    link = L.Linear(3, 2, nobias=True)
    optimizer = chainer.optimizers.Adam().setup(link)
    W = link.W.array.astype('d')
    m = v = 0
    for t in range(1, 4):
        link.W.grad = numpy.random.uniform(-1, 1, (2, 3)).astype('f')
        g = link.W.grad.astype('d')
        optimizer.update()
        m = .9 * m + .1 * g
        v = .999 * v + .001 * g * g
        W -= (.001 * (1 - .999 ** t) ** .5 / (1 - .9 ** t)
              * m / (numpy.sqrt(v) + 1e-8))
        numpy.testing.assert_allclose(link.W.array, W, 1e-5)


def test_deconvolution_gradient_of_the_weight_alone():
    x = numpy.random.uniform(-1, 1, (1, 2, 4, 4)).astype('f')
    W = chainer.Variable(
        numpy.random.uniform(-1, 1, (2, 3, 3, 3)).astype('f'))
    F.sum(F.deconvolution_2d(x, W)).backward()
    expected = numpy.broadcast_to(
        x.sum(axis=(0, 2, 3))[:, None, None, None], W.shape)
    numpy.testing.assert_allclose(W.grad, expected, 1e-4, 1e-5)


def test_resize_images():
    x = numpy.arange(4, dtype='f').reshape(1, 1, 2, 2)
    y = F.resize_images(x, (3, 3)).array
    numpy.testing.assert_allclose(
        y[0, 0], [[0, .5, 1], [1, 1.5, 2], [2, 2.5, 3]])


def test_categorical():
    p = numpy.array([[.25, .75], [.5, .5]], 'f')
    distribution = chainer.distributions.Categorical(p=p)
    numpy.testing.assert_allclose(
        distribution.log_prob(numpy.array([1, 0])).array,
        numpy.log([.75, .5]), 1e-6)


def test_padding(recwarn):
    batch = chainer.dataset.concat_examples(
        [numpy.ones(2, 'f'), numpy.ones(3, 'f')], padding=0)
    assert batch.tolist() == [[1, 1, 0], [1, 1, 1]]
    assert not recwarn.list


@pytest.mark.parametrize('dtype,tolerance', [('f', 1e-7), ('e', 1e-3)])
def test_summary_does_not_lose_precision(dtype, tolerance):
    summary = chainer.reporter.Summary()
    values = (1000 + numpy.random.uniform(0, 1, 20000)).astype(dtype)
    for value in values:
        summary.add(value)
    assert abs(float(summary.compute_mean())
               / values.astype('d').mean() - 1) < tolerance


def test_pickle():
    link = pickle.loads(pickle.dumps(L.Linear(3, 2)))
    assert link(numpy.ones((1, 3), 'f')).shape == (1, 2)


def test_trainer(tmp_path):
    x = numpy.random.uniform(-1, 1, (60, 4)).astype('f')
    y = (x.sum(axis=1) > 0).astype('i')
    printed = io.StringIO()
    model = L.Classifier(chainer.Sequential(
        L.Linear(4, 8), L.BatchNormalization(8), F.relu, L.Linear(8, 2)))
    optimizer = chainer.optimizers.Adam(.05).setup(model)
    iterator = chainer.iterators.MultiprocessIterator(
        chainer.datasets.TupleDataset(x, y), 10, n_processes=1)
    updater = training.updaters.StandardUpdater(iterator, optimizer)
    trainer = training.Trainer(updater, (3, 'epoch'), out=str(tmp_path))
    trainer.extend(extensions.Evaluator(chainer.iterators.SerialIterator(
        chainer.datasets.TupleDataset(x, y), 10, repeat=False), model))
    trainer.extend(extensions.LogReport())
    trainer.extend(extensions.PlotReport(['main/loss'], filename='loss.png'))
    trainer.extend(extensions.PrintReport(
        ['epoch', 'main/loss', 'validation/main/accuracy'], out=printed))
    trainer.extend(extensions.snapshot(n_retains=2), trigger=(1, 'epoch'))
    trainer.run()
    log = trainer.get_extension('LogReport').log
    assert [row['epoch'] for row in log] == [1, 2, 3]
    assert log[-1]['main/loss'] < log[0]['main/loss']
    assert 'validation/main/accuracy' in printed.getvalue()
    assert (tmp_path / 'loss.png').stat().st_size > 1000
    assert sorted(p.name for p in tmp_path.glob('snapshot*')) == [
        'snapshot_iter_12', 'snapshot_iter_18']
    saved = {k: v.array.copy() for k, v in model.namedparams()}
    model.cleargrads()
    for param in model.params():
        param.array[...] = 0
    chainer.serializers.load_npz(
        str(tmp_path / 'snapshot_iter_18'), model,
        path='updater/model:main/')
    for name, param in model.namedparams():
        assert (param.array == saved[name]).all()


# CuPy is stood in for: what is patched is a call's text.

def fake_cuda(major):
    calls = []

    def elementwise(in_params, out_params, operation, name, **kwargs):
        calls.append((operation, kwargs.get('preamble', '')))

    def raw(code, name, *args, **kwargs):
        calls.append((code, ''))

    def check_cuda_available():
        pass

    return types.SimpleNamespace(
        available=True, _cupy_major=major, elementwise=elementwise, raw=raw,
        check_cuda_available=check_cuda_available), calls


def test_cupy_14_gets_its_headers():
    cuda, calls = fake_cuda(14)
    _compat._patch_cuda(cuda)
    cuda.elementwise('T x', 'T y', 'y = float16(x)', 'a', preamble='int i;')
    cuda.elementwise('T x', 'T y', 'y = x', 'b')
    cuda.raw('half x;', 'c')
    cuda.raw('#include <cuda_fp16.h>\nhalf x;', 'd')
    assert calls == [
        ('y = float16(x)', '#include <cupy/float16.cuh>\nint i;'),
        ('y = x', ''), ('#include <cuda_fp16.h>\nhalf x;', ''),
        ('#include <cuda_fp16.h>\nhalf x;', '')]


def test_cupy_13_is_left_alone():
    cuda, calls = fake_cuda(13)
    elementwise = cuda.elementwise
    _compat._patch_cuda(cuda)
    assert cuda.elementwise is elementwise
