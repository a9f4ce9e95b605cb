"""The CUDA runtime of a machine with one device."""

from standin import meter as _meter


class CUDARuntimeError(RuntimeError):

    def __init__(self, status):
        self.status = status
        super(CUDARuntimeError, self).__init__(
            'cudaErrorInvalidDevice: invalid device ordinal')


def getDeviceCount():
    return 1


def getDevice():
    return 0


def deviceSynchronize():
    _meter.read('synchronize')


def memGetInfo():
    """Free and total bytes, of a device that is a small one."""
    return 3 << 29, 2 << 30


def runtimeGetVersion():
    return 13000


driverGetVersion = runtimeGetVersion


def getDeviceProperties(device):
    return {'name': b'the host, standing in'}
