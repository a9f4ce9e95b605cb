"""A model's weights in a file of their own."""

import itertools

import chainer
from chainer import backend
import numpy

from quantized_net import errors
from quantized_net import files
from quantized_net import npz

_LIMIT = 1 << 31  # bytes of an array


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


def load_float(path, model):
    """Fills a quantized model, or a float one, from a float network's file.

    The file may be that of a network (``model.npz``), of its classifier, or
    a snapshot of their trainer; so may the model be the network or its
    classifier.  Nothing in the file is run, and all of it is checked before
    anything is written.

    Args:
        path (str): An npz file.
        model (~chainer.Link): Filled in place.

    Returns:
        list of str: What stayed at its initial value (the parameters of the
        quantizers).  Those that start from the weights take the loaded ones
        (:meth:`~quantized_net.quantizers.Quantizer.initialize_from`).

    Raises:
        ~quantized_net.UserError: Where the file is missing, damaged, or of
            another architecture: where a weight lacks, is too many or has
            another shape.  The model is then as it was.

    """
    serialized = _serialized(model)
    with npz.Archive(path, _LIMIT) as archive:
        begin, names = _names_in_file(archive.headers, [
            name for name, _, _ in serialized])
        surplus = sorted(
            name for name in archive.headers
            if name.startswith(begin) and name not in set(names.values()))
        stayed, values = [], []
        for name, owner, attribute in serialized:
            current = getattr(owner, attribute)
            shape, dtype = archive.headers.get(names[name], (None, None))
            if shape is None and '_quantizer/' in name:
                stayed.append(name)
                continue
            if dtype is not None and dtype.hasobject:
                shape = None  # None: it had no value yet
                if current is None:
                    continue
            wanted = None if current is None else numpy.shape(current)
            if shape is None or wanted not in (None, shape) or (
                    dtype.kind not in 'biuf'):
                raise errors.UserError(
                    'float snapshot %s is of another architecture: %s is %s '
                    'there and %s here' % (
                        path, name, 'missing' if shape is None
                        else 'of shape %s' % (shape,), 'of shape %s' % (
                            wanted,)))
            values.append((owner, attribute, archive.read(names[name])))
        if surplus:
            raise errors.UserError(
                'float snapshot %s is of another architecture: it has %s, '
                'which the model has not' % (path, surplus[0]))
    for name, owner, attribute in serialized:
        if name in stayed and attribute == 'initialized':
            # first values are those of the loaded weights
            owner.initialized = False
    for owner, attribute, value in values:
        _put(owner, attribute, value)
    return stayed


def _serialized(model):
    """Names of what a model saves, with their owners and attributes."""
    return list(itertools.chain(
        ((name, param, 'array') for name, param in model.namedparams()),
        ((link_path.rstrip('/') + '/' + name, link, name)
         for link_path, link in model.namedlinks()
         for name in link._persistent)))


def _names_in_file(saved, names):
    """What a model's names are called in a file: most of them are there.

    Returns:
        tuple: What they begin with, and a dict from the model's names.

    """
    best = '', {}  # type: tuple[str, dict[str, str]]
    most = -1
    for cut in ('', '/predictor'):
        if not all(name.startswith(cut + '/') for name in names):
            continue
        short = [name[len(cut) + 1:] for name in names]
        prefixes = {''} | {
            key[:len(key) - len(short[0])] for key in saved
            if ('/' + key).endswith('/' + short[0])} if short else {''}
        for prefix in sorted(prefixes, key=len):
            found = sum(prefix + name in saved for name in short)
            if found > most:
                most = found
                best = prefix, {
                    name: prefix + s for name, s in zip(names, short)}
    return best


def _put(owner, attribute, value):
    current = getattr(owner, attribute)
    if current is None and attribute == 'array':
        owner.initialize(value.shape)
        current = owner.array
    if hasattr(current, 'fill') and hasattr(current, 'dtype'):
        current[...] = owner.device.send(value.astype(current.dtype))
    elif current is None:
        setattr(owner, attribute, owner.device.send(value))
    else:
        setattr(owner, attribute, type(current)(value.item()))
