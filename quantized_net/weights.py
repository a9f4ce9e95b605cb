"""A model's weights in a file of their own."""

import chainer
from chainer import backend
import numpy

from quantized_net import files


def save(path, model):
    """Writes a model's parameters and statistics into an npz file.

    That is what :func:`quantized_net.load_float` and
    :func:`chainer.serializers.load_npz` read: floats as float32, names as
    ``'conv1/W'``, compressed, nothing pickled.  The file is whole or not
    there.

    Args:
        path (str): Of the file.
        model (~chainer.Link): With initialized parameters.

    Raises:
        ValueError: Where a parameter is not initialized yet.

    """
    serializer = chainer.serializers.DictionarySerializer()
    serializer.save(model)
    arrays = {}
    for name, value in serializer.target.items():
        array = numpy.asarray(backend.CpuDevice().send(value))
        if array.dtype == object:
            raise ValueError(
                '%s has no value yet: run the model once before saving it'
                % name)
        arrays[name] = (
            array.astype(numpy.float32) if array.dtype.kind == 'f' else array)
    with files.replacing(path) as temporary:
        with open(temporary, 'wb') as f:
            numpy.savez_compressed(f, **arrays)  # type: ignore[arg-type]
