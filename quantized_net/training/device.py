"""The device that the options name."""

import re

import chainer
from chainer.backends import cuda
import numpy

from quantized_net import errors


def get(gpu=-1, specifier=None, local_rank=0):
    """Returns the device, ready to use.

    Args:
        gpu (int): Number of the GPU; negative means the CPU.
        specifier (str or None): Chainer's device specifier, instead.
        local_rank (int): Of this process among those of the machine: each
            takes a GPU of its own, from the named one on.

    Returns:
        chainer.backend.Device

    Raises:
        ~quantized_net.UserError: Where there is no such device.

    """
    gpu, option = check(gpu, specifier)
    if gpu < 0:
        return chainer.get_device('@numpy')
    if local_rank:
        gpu += local_rank
        _check_gpu(gpu, '%s, process %d of this machine' % (
            option, local_rank))
    device = chainer.get_device('@cupy:%d' % gpu)
    device.use()
    return device


def check(gpu=-1, specifier=None):
    """Checks what names a device, and uses none.

    Returns:
        tuple: Number of the GPU, negative for the CPU; and the option as it
        was given.

    Raises:
        ~quantized_net.UserError: Where there is no such device.

    """
    option = '--gpu %d' % gpu
    if specifier is not None:
        option = '--device %s' % specifier
        if re.fullmatch('(@cupy:|-)?[0-9]{1,9}', specifier):
            gpu = int(specifier.removeprefix('@cupy:'))
        elif specifier == '@numpy':
            gpu = -1
        else:
            raise errors.UserError(
                '%s: not a device; use -1 for the CPU, or 0 or "@cupy:0" for '
                'the first GPU' % option)
    if gpu >= 0:
        _check_gpu(gpu, option)
    return gpu, option


def _check_gpu(gpu, option):
    if not cuda.available:
        raise errors.UserError(
            "%s: CuPy is not installed or finds no CUDA; install the extra "
            "'cuda12' or 'cuda13', or leave the option out to use the CPU"
            % option)
    try:
        n_devices = cuda.cupy.cuda.runtime.getDeviceCount()
    except cuda.cupy.cuda.runtime.CUDARuntimeError as e:
        raise errors.UserError('%s: CUDA can not be used: %s' % (option, e))
    if gpu >= n_devices:
        raise errors.UserError(
            '%s: this machine has %d GPU(s), numbered from 0'
            % (option, n_devices))


def seed(device, value):
    """Seeds NumPy's generator, and that of the device.

    Args:
        device (~chainer.backend.Device): What the run computes on.
        value (int): In [0, 2^32).

    """
    numpy.random.seed(value)
    if device.xp is not numpy:
        with chainer.using_device(device):
            device.xp.random.seed(value)


def number(device):
    """The number that scripts print: of the GPU, or -1 for the CPU."""
    return device.device.id if device.xp is not numpy else -1
