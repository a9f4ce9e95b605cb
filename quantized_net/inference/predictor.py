"""Predictions of a network that is no more than a description."""

import threading

import numpy

from ..errors import UserError
from ..kernels import native
from ..packing import operations
from . import engine
from . import reference

_BYTES = 1 << 26  # of the values of a batch, as a rule


class Predictor(object):

    """Computes what a packed network says of images.

    It needs neither Chainer nor the code of the model, and threads may share
    one.  Where the compiled kernels are there, they do as many of the
    operations as they know in one call; NumPy does the rest.
    :meth:`explain` says which is which.

    Args:
        network (~quantized_net.packing.network.Network): What to compute.

    Attributes:
        network (~quantized_net.packing.network.Network): As given.
        input_shape (tuple of ints): Of one image.
        output_shape (tuple of ints): Of what comes out for it.

    """

    def __init__(self, network):
        self.network = network
        self.input_shape = network.input_shape
        self.output_shape = network.output_shape
        self._arrays = {}  # type: dict  # decoded for NumPy, when needed
        self._steps = [(step, operations.attributes_of(step))
                       for step in network.steps]
        live = largest = 0
        for i, shape in enumerate(network.shapes):
            live += int(numpy.prod(shape))
            largest = max(largest, live)
            live -= sum(int(numpy.prod(network.shapes[value]))
                        for value in network.last_uses[i])
        self._engines = {}  # type: dict
        self._lock = threading.Lock()
        self._at_once = min(max(_BYTES // (4 * largest), 1), 256)

    def __reduce__(self):
        return Predictor, (self.network,)

    def __call__(self, images):
        """What the network's last operation gives.

        Args:
            images (numpy.ndarray): Floats, taken as they come (float32), or
                8-bit pixels (uint8), which become inputs as the file says;
                shape (N,) + ``input_shape``, or one image of the shape
                ``input_shape``.  N may be any number.

        Returns:
            numpy.ndarray: float32, shape (N,) + ``output_shape``; or
            ``output_shape`` for one image.

        Raises:
            ~quantized_net.UserError: Where the images have another shape or
                are no numbers.

        """
        images = numpy.asarray(images)
        is_one = images.shape == self.input_shape
        if is_one:
            images = images[None]
        if images.shape[1:] != self.input_shape or images.ndim == 0:
            raise UserError('images of the shape %s; the network takes %s' % (
                images.shape, ('N',) + self.input_shape))
        if images.dtype.kind not in 'fiu' or images.dtype.kind in 'iu' and (
                images.dtype != numpy.uint8):
            raise UserError('images are %s; floats are taken as they come, '
                            'uint8 as pixels' % images.dtype)
        pixels = images.dtype == numpy.uint8
        if pixels and self.network.pixels is None:
            raise UserError('8-bit pixels: the file does not say how they '
                            'become inputs; give floats')
        found = self._engine(pixels)
        y = numpy.empty((len(images),) + self.output_shape, numpy.float32)
        step = self._at_once if found.n < len(self._steps) else max(
            len(images), 1)
        for i in range(0, len(images), step):
            part = images[i:i + step]
            y[i:i + step] = self._run(found.n, found(part) if found.n else (
                self._inputs(part)))
        return y[0] if is_one else y

    def explain(self, pixels=False):
        """How each operation is computed, and why so (a str).

        Args:
            pixels (bool): Of 8-bit pixels; of floats, if not.

        """
        found = self._engine(pixels)
        lines = found.lines(self.network) if found.n else []
        if found.n < len(self._steps):
            kinds = [step.kind for step, _ in self._steps[found.n:]]
            lines.append('%s: NumPy (%s)' % (
                ', '.join(kinds) if len(kinds) < 9 else '%d operations' % len(
                    kinds), found.why))
        return '\n'.join(lines)

    def _engine(self, pixels):
        """What does the first operations, made when it is needed."""
        with self._lock:
            level = native.level()
            if (pixels, level) not in self._engines:
                self._engines[pixels, level] = engine.Engine(
                    self.network, pixels)
            return self._engines[pixels, level]

    def predict(self, images):
        """The most likely classes.

        Args:
            images: As in :meth:`__call__`.

        Returns:
            numpy.ndarray: Integers of shape (N,), or () for one image.

        """
        return self._by_class(self(images)).argmax(axis=-1)

    def predict_proba(self, images):
        """The probabilities of the classes.

        They are the softmax of what comes out, unless the network ends in
        one.

        Args:
            images: As in :meth:`__call__`.

        Returns:
            numpy.ndarray: float32 of shape (N, classes), or (classes,).

        """
        y = self._by_class(self(images))
        last = self.network.steps[-1].kind
        if last == 'softmax':
            return y
        y = numpy.exp(y - y.max(axis=-1, keepdims=True))
        return y / y.sum(axis=-1, keepdims=True)

    def _by_class(self, y):
        if len(self.output_shape) != 1:
            raise UserError('the network gives %s for an image, not a number '
                            'for each class' % (self.output_shape,))
        return y

    def _inputs(self, images):
        if images.dtype != numpy.uint8:
            return images.astype(numpy.float32, copy=False)
        pixels = self.network.pixels
        x = images.astype(numpy.float32)
        if 'mean' in pixels:
            x -= self._values(pixels['mean'])
        x *= numpy.float32(1 / pixels['divisor'])  # as in training
        return x

    def _values(self, name):
        """A tensor's values; packed ones are decoded once."""
        if name not in self._arrays:
            self._arrays[name] = self.network.tensors[name].values
        return self._arrays[name]

    def _run(self, n, x):
        """What comes out, where value n is x and no other is needed."""
        values = {n: x}
        for i, (step, attributes) in enumerate(self._steps[n:], n + 1):
            values[i] = reference.run(
                step.kind, [values[v] for v in step.inputs], attributes,
                {role: self._values(name)
                 for role, name in step.tensors.items()})
            for value in self.network.last_uses[i]:
                del values[value]
        return values[len(self._steps)]
