"""A network as one call into C: operations fused, weights prepared once."""

import ctypes
import functools
import math
import warnings
import weakref

import numpy

from ..kernels import native
from . import self_test
from . import step as step_module
from . import steps

# As in enum kind of network.c.
_KINDS = {name: i for i, name in enumerate((
    'floats', 'pixels', 'bytes', 'convolution', 'linear', 'lookup',
    'sign_sums', 'pixel_sums', 'max_pooling', 'average_pooling', 'finish',
    'widen', 'normalization', 'sign', 'steps', 'powers', 'clip',
    'leaky_relu', 'multiply', 'add', 'pack_signs'))}
_SIZES = ('n', 'c_in', 'h_in', 'w_in', 'c_out', 'h_out', 'w_out', 'h_kernel',
          'w_kernel', 'h_stride', 'w_stride', 'h_pad', 'w_pad', 'h_dilate',
          'w_dilate', 'groups', 'exact')
_ALIGNMENT = 16  # floats
_MOST = 1 << 24  # floats of the images that are worked on, as a rule


class _Operation(ctypes.Structure):

    """``struct operation`` of network.h."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in (
            'kind', 'source', 'residual', 'relu', 'y', 'z', 'relu_z',
            'n_levels', *_SIZES)),
        *((name, ctypes.c_void_p) for name in (
            'weights', 'bias', 'scale', 'shift', 'mean', 'packed')),
        ('packed_bytes', ctypes.c_int64), ('numbers', ctypes.c_float * 4)]


class Engine(object):

    """The first operations of a network, as many as C does.

    Any number of threads may call it.

    Args:
        network (~quantized_net.packing.network.Network): The network.
        pixels (bool): Whether it takes 8-bit pixels.

    Attributes:
        n (int): How many operations it does; what is left takes the output
            of the last one, and nothing else.
        why (str or None): Why not more.
        steps (list of ~quantized_net.inference.step.Step): What C does.

    """

    def __init__(self, network, pixels=False):
        self._dtype = numpy.uint8 if pixels else numpy.float32
        self.n, self.why = len(network.steps), None
        if native.library() is None:
            self.n, self.why = 0, 'the kernels are not compiled'
        elif not _agrees(native.level()):
            self.n, self.why = 0, 'the self-test failed'
        self._start(network, pixels)

    def _start(self, network, pixels):
        while self.n:
            try:
                plan = steps.Planner(network, self.n, pixels)
            except step_module.Unsupported as e:
                self.why = self.why or e.args[0]
                self.n = _last_alone(network, e.args[1])
                continue
            if len(network.shapes[self.n]) == 1 or plan._is_flat(self.n):
                break
            # images would come out channels-last
            self.why = self.why or 'it gives images'
            self.n = _last_alone(network, self.n - 1)
        if not self.n:
            return
        self.steps = plan.steps
        self.output_shape = network.shapes[self.n]
        self._make(plan, math.prod(network.input_shape))

    def __call__(self, x):
        """The output of the last operation that it does.

        Args:
            x (numpy.ndarray): Images of the network's input shape, (N, ...).

        Returns:
            numpy.ndarray: float32, shape (N,) + ``output_shape``.

        """
        x = numpy.ascontiguousarray(x, self._dtype)
        y = numpy.empty((len(x),) + self.output_shape, numpy.float32)
        if not len(x):
            return y
        failed = native.library().quantized_net_run_network(
            self._network, x.ctypes.data, y.ctypes.data, len(x))
        if failed < 0:
            raise MemoryError('no memory left for a network')
        if failed:
            raise RuntimeError(
                'the network was made for another level of processors')
        return y

    def lines(self, network):
        """What it does, a line a step (a list of str)."""
        return ['%s: %s' % (
            ' + '.join(network.steps[i].kind for i in sorted(step.covers))
            or 'input', in_words(step)) for step in self.steps]

    def _make(self, plan, in_size):
        places, arena = _arena(plan)
        n = min(_images_at_a_time(plan.steps), max(_MOST // arena, 1))
        described = (_Operation * len(plan.steps))()
        arrays: list = []
        for step, operation in zip(plan.steps, described):
            _describe(step, operation, places, arrays)
        library = native.library()
        _declare(library)
        self._network = library.quantized_net_make_network(
            ctypes.addressof(described), len(described), n, arena,
            in_size * numpy.dtype(self._dtype).itemsize,
            math.prod(self.output_shape), places[plan.result])
        if not self._network:
            raise MemoryError('no memory left for a network')
        weakref.finalize(
            self, library.quantized_net_free_network, self._network)


def in_words(step):
    """How a step is computed (a str)."""
    if step.kind == 'convolution':
        library = native.library()
        sizes = (ctypes.c_int64 * len(_SIZES))(
            *[step.sizes[name] for name in _SIZES])
        if library.quantized_net_suits_winograd(sizes):
            return 'float Winograd, its weights transformed once'
        return 'float, exact sums of codes' if step.sizes['exact'] else (
            'float, the direct way')
    return {
        'floats': 'channels last', 'pixels': 'from 8-bit pixels to floats',
        'bytes': '8-bit pixels as they are',
        'linear': 'float products',
        'lookup': 'packed codes, sums looked up',
        'sign_sums': 'packed signs, exclusive or and counting',
        'pixel_sums': '8-bit pixels by 8-bit weights, whole numbers',
        'pack_signs': 'signs to bits',
    }.get(step.kind, step.kind.replace('_', ' '))


@functools.lru_cache(maxsize=None)
def _agrees(level):
    """Whether C gives what NumPy gives, of a small network of each kind."""
    for network, pixels in self_test.networks():
        found = Engine.__new__(Engine)
        found._dtype = numpy.uint8 if pixels else numpy.float32
        found.n, found.why = len(network.steps), None
        found._start(network, pixels)
        if found.n != len(network.steps) or not self_test.is_close(
                network, pixels, found):
            warnings.warn(
                'the compiled predictor does not agree with its NumPy '
                'reference on this machine, NumPy serves', stacklevel=3)
            return False
    return True


def _last_alone(network, n):
    """The most operations up to n after which one value is still needed."""
    needed = {0}
    alone = 0
    for i in range(1, n + 1):
        needed.add(i)
        needed -= set(network.last_uses[i]) - {i}
        if needed == {i}:
            alone = i
    return alone


def _images_at_a_time(planned):
    """As many as keep the tiles of the smallest images busy."""
    tiles = [-(-s.sizes['h_out'] // 4) * -(-s.sizes['w_out'] // 4)
             for s in planned if s.kind == 'convolution']
    if not tiles:
        return 96
    if any(s.kind in ('linear', 'lookup') and s.sizes['c_in'] > 1000
           for s in planned):
        return 8  # as many share what is read of its weights
    return min(max(16 // min(tiles), 1), 16)


def _arena(plan):
    """Where each value lies in the memory of an image, and its size."""
    last = {plan.result: len(plan.steps)}
    for i, step in enumerate(plan.steps):
        for value in step.reads + step.writes:
            last[value] = max(last.get(value, 0), i)
    places: dict = {}
    end = 0
    for i, step in enumerate(plan.steps):
        for value in step.writes:
            size = -(-plan.sizes[value] // _ALIGNMENT) * _ALIGNMENT
            at = 0
            for first, after in sorted(
                    place for other, place in places.items()
                    if last[other] >= i):
                if at + size <= first:
                    break
                at = max(at, after)
            places[value] = at, at + size
            end = max(end, at + size)
    return {value: first for value, (first, _) in places.items()}, end


def _describe(step, operation, places, arrays):
    """Fills a struct; what it points to is added to the arrays."""
    operation.kind = _KINDS[step.kind]
    for name in ('source', 'residual', 'y', 'z'):
        value = getattr(step, name)
        setattr(operation, name, -1 if value is None else places[value])
    operation.relu, operation.relu_z = step.relu, step.relu_z
    operation.n_levels = len(step.numbers)
    for name, value in step.sizes.items():
        setattr(operation, name, value)
    for name, array in step.arrays.items():
        if array is None:
            continue
        array = numpy.ascontiguousarray(
            array, None if name == 'packed' else numpy.float32)
        arrays.append(array)
        setattr(operation, name, array.ctypes.data)
        if name == 'packed':
            operation.packed_bytes = array.nbytes
    for i, number in enumerate(step.numbers):
        operation.numbers[i] = number


def _declare(library):
    library.quantized_net_make_network.restype = ctypes.c_void_p
    library.quantized_net_make_network.argtypes = [
        ctypes.c_void_p] + [ctypes.c_size_t] * 5 + [ctypes.c_int64]
    library.quantized_net_free_network.argtypes = [ctypes.c_void_p]
    library.quantized_net_free_network.restype = None
    library.quantized_net_run_network.argtypes = [
        ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
