"""Devices and paths for all tests."""

import os
import pathlib

import quantized_net  # noqa: F401  (before chainer)
import chainer
import numpy
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent


def _has_gpu():
    cuda = chainer.backends.cuda
    if not cuda.available:
        return False
    try:
        return cuda.cupy.cuda.is_available()
    except Exception:  # a driver that is there and does not answer
        return False


DEVICES = ['@numpy'] + (['@cupy:0'] if _has_gpu() else [])


@pytest.fixture(params=DEVICES)
def device(request):
    """The CPU, and the GPU where there is one: the same tests for both."""
    found = chainer.get_device(request.param)
    with chainer.using_device(found):
        yield found


@pytest.fixture(autouse=True)
def seed():
    numpy.random.seed(0)


@pytest.fixture
def real_data():
    """Folder with the original files of the data sets."""
    folder = os.environ.get('QUANTIZED_NET_TEST_DATA')
    if folder is None:
        pytest.skip('QUANTIZED_NET_TEST_DATA does not name a folder with '
                    'mnist/ and cifar-10-batches-py/')
    return folder
