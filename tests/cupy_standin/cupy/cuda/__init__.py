"""One device, one stream: all is done when a call returns."""

import threading as _threading
import time as _time

from cupy.cuda import (  # noqa: F401
    cublas, driver, memory, memory_hook, nvtx, profiler, runtime)
from cupy.cuda.memory import MemoryPool, PinnedMemoryPool  # noqa: F401
from standin import meter as _meter

nvtx_enabled = False  # Chainer asks for it
_local = _threading.local()
_memory_pool, _pinned_memory_pool = MemoryPool(), PinnedMemoryPool()


def is_available():
    return True


def get_device_id():
    return getattr(_local, 'id', 0)


def get_default_memory_pool():
    return _memory_pool


def get_default_pinned_memory_pool():
    return _pinned_memory_pool


class Device(object):

    compute_capability = '90'

    def __init__(self, device=None):
        if isinstance(device, Device):
            device = device.id
        self.id = get_device_id() if device is None else int(device)
        self._stack = []

    def __int__(self):
        return self.id

    def __enter__(self):
        self._stack.append(get_device_id())
        self.use()
        return self

    def __exit__(self, *exc_info):
        _local.id = self._stack.pop()

    def use(self):
        if not 0 <= self.id < runtime.getDeviceCount():
            raise runtime.CUDARuntimeError(101)
        _local.id = self.id

    def synchronize(self):
        _meter.read('synchronize')

    def __eq__(self, other):
        return isinstance(other, Device) and self.id == other.id

    def __hash__(self):
        return hash(self.id)

    def __repr__(self):
        return '<CUDA Device %d>' % self.id


class Stream(object):

    ptr = 0
    done = True

    def __init__(self, null=False, non_blocking=False, ptds=False):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        pass

    def use(self):
        return self

    def synchronize(self):
        _meter.read('synchronize')

    def record(self, event=None):
        event = Event() if event is None else event
        event.record(self)
        return event

    def wait_event(self, event):
        pass


Stream.null = Stream(null=True)


def get_current_stream():
    return Stream.null


class Event(object):

    done = True

    def __init__(self, block=False, disable_timing=False, interprocess=False):
        self.time = None

    def record(self, stream=None):
        self.time = _time.perf_counter()

    def synchronize(self):
        _meter.read('synchronize')


def get_elapsed_time(start_event, end_event):
    return 1000 * (end_event.time - start_event.time)


def __getattr__(name):
    raise AttributeError(
        "module 'cupy.cuda' of the stand-in has no attribute %r" % name)
