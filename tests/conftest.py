"""Devices and paths for all tests."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def _put_standin_on_path():
    """A CUDA that runs on the host, where it is asked for and no GPU is.

    For the scripts that tests start, too.
    """
    if os.environ.get('QUANTIZED_NET_GPU_ON_HOST') != '1':
        return
    folder = str(ROOT / 'tests' / 'cupy_standin')
    others = [p for p in os.environ.get('PYTHONPATH', '').split(os.pathsep)
              if p not in ('', folder)]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(others))
    if subprocess.run(
            [sys.executable, '-c',
             'import cupy; assert cupy.cuda.is_available()'],
            env=environment, capture_output=True).returncode == 0:
        return
    os.environ['PYTHONPATH'] = os.pathsep.join([folder] + others)
    sys.path.insert(0, folder)


_put_standin_on_path()  # before CuPy is imported

import quantized_net  # noqa: E402, F401  (before chainer)
import chainer  # noqa: E402
import numpy  # noqa: E402
import pytest  # noqa: E402


def _has_gpu():
    cuda = chainer.backends.cuda
    if not cuda.available:
        return False
    try:
        return cuda.cupy.cuda.is_available()
    except Exception:  # a driver that is there and does not answer
        return False


DEVICES = ['@numpy'] + (['@cupy:0'] if _has_gpu() else [])


def pytest_collection_modifyitems(items):
    for item in items:
        if 'gpu' in item.fixturenames or '@cupy' in item.name:
            item.add_marker('gpu')


@pytest.fixture(params=DEVICES)
def device(request):
    """The CPU, and the GPU where there is one: the same tests for both."""
    found = chainer.get_device(request.param)
    with chainer.using_device(found):
        yield found


@pytest.fixture(autouse=True)
def seed():
    numpy.random.seed(0)
    if len(DEVICES) > 1:
        chainer.backends.cuda.cupy.random.seed(0)


@pytest.fixture
def gpu():
    """The GPU, or what stands in for it."""
    if len(DEVICES) == 1:
        pytest.skip('no GPU here: make test-gpu-on-host goes without')
    found = chainer.get_device(DEVICES[1])
    with chainer.using_device(found):
        yield found


@pytest.fixture
def standin(gpu):
    """The stand-in for CuPy, which can tell of launches and reads."""
    return pytest.importorskip(
        'standin', reason='the stand-in for CuPy alone counts launches')


@pytest.fixture
def real_data():
    """Folder with the original files of the data sets."""
    folder = os.environ.get('QUANTIZED_NET_TEST_DATA')
    if folder is None:
        pytest.skip('QUANTIZED_NET_TEST_DATA does not name a folder with '
                    'mnist/ and cifar-10-batches-py/')
    return folder
