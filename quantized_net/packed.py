"""Trained models as small files, and back."""

import numpy

import chainer

from quantized_net import convert
from quantized_net import errors
from quantized_net import inference
from quantized_net import quantizers
from quantized_net import tracing
from quantized_net.packing import file
from quantized_net.packing import folding
from quantized_net.packing import network
from quantized_net.packing import tensors


def save_packed(path, model, input_shape, ternary='base3', fold=True,
                pixels=None, about=None):
    """Writes a model into one small safetensors file.

    Quantized weights become packed codes with their codebooks, all else
    stays float32.  What the model computes is written down by watching it
    (:func:`quantized_net.tracing.trace`), so that the file needs neither its
    code nor Chainer.  The file is whole or not there.

    Args:
        path (str): Of the file.
        model (~chainer.Link): The network, or its classifier; any Chain of
            functions that are known.  It is not changed.
        input_shape (tuple of ints): Of one image: (C, H, W), or (n,).
        ternary (str): Three values take 1.6 bits in ``'base3'``, five in a
            byte, or 2 in ``'bits2'``.
        fold (bool): Whether BatchNormalization becomes a scale and a shift,
            or part of a float weight (:mod:`quantized_net.packing.folding`).
        pixels (dict or None): How 8-bit pixels become inputs, for
            ``predict`` of images: ``'divisor'``, and ``'mean'``, an array of
            the input's shape or (C, 1, 1), that is subtracted first.
        about (dict or None): From strings to strings, for those who read it.

    Returns:
        int: Bytes of the file.

    Raises:
        ~quantized_net.UserError: Where the model has no weights yet or uses
            a function that is not known, by its name, or the file can't be
            written.

    .. rubric:: Example

    >>> quantized_net.save_packed('net.safetensors', model, (1, 28, 28))

    """
    return file.write(
        path, describe(model, input_shape, ternary, fold, pixels), about)


def describe(model, input_shape, ternary='base3', fold=True, pixels=None):
    """What :func:`save_packed` writes (a ``Network``), with its arguments."""
    found = tracing.trace(model, input_shape, ternary)
    if fold:
        found = folding.fold(found)
    if pixels is None:
        return found
    pixels, arrays = dict(pixels), dict(found.tensors)
    if pixels.get('mean') is not None:
        arrays['pixels/mean'] = tensors.FloatTensor(
            numpy.asarray(pixels['mean'], numpy.float32))
        pixels['mean'] = 'pixels/mean'
    try:
        return network.Network(
            found.input_shape, found.steps, arrays, pixels)
    except ValueError as e:
        raise errors.UserError(str(e))


def load_packed(path, into=None, limit=file.LIMIT):
    """Reads a file of :func:`save_packed`; nothing in it is run.

    Args:
        path (str): Of the file.
        into (~chainer.Link or None): A model to fill, of the architecture
            that was saved: a float one, or a quantized one.  Its layers get
            the weights of the file, with the quantizer
            :class:`~quantized_net.quantizers.Fixed` where they are codes;
            BatchNormalization computes what the file says.
        limit (int): The most bytes that the file may have.

    Returns:
        ~quantized_net.inference.Predictor or ~chainer.Link: A predictor,
        which needs no Chainer (``quantized_net.inference.load_packed`` gives
        the same without it); or ``into``.

    Raises:
        ~quantized_net.UserError: Where the file is missing, damaged, of
            another or a newer format, or asks for too much; or where the
            model does something else than the file says: it is then as it
            was.

    """
    if into is None:
        return inference.load_packed(path, limit)
    found = file.read(path, limit).network
    _fill(path, tracing.network_of(into), found)
    return into


def _fill(path, model, found):
    own = tracing.trace(model, found.input_shape)
    for name, tensor in own.tensors.items():
        if name in found.tensors and (
                found.tensors[name].shape != tensor.shape):
            raise errors.UserError(
                '%s is of another model: %s has the shape %s there and %s '
                'here' % (path, name, found.tensors[name].shape,
                          tensor.shape))
    own = network.Network(own.input_shape, own.steps, {
        name: found.tensors[name] if isinstance(
            found.tensors.get(name), tensors.PackedTensor)
        else tensors.FloatTensor(tensor.values)
        for name, tensor in own.tensors.items()})
    is_folded = not any(
        step.kind == 'batch_normalization' for step in found.steps)
    _compare(path, folding.fold(own) if is_folded else own, found)
    links = {name.strip('/'): link for name, link in model.namedlinks()}
    arrays = {name: tensor.values for name, tensor in found.tensors.items()}
    arrays.pop((found.pixels or {}).get('mean'), None)
    to_put = []
    if is_folded:
        for i, what in folding.plan(own).items():
            to_put += _of_normalization(own, i, what, links, arrays)
    for name, values in arrays.items():
        path_of_link, _, attribute = name.rpartition('/')
        link = links.get(path_of_link)
        is_packed = isinstance(found.tensors[name], tensors.PackedTensor)
        if not hasattr(link, attribute) or (
                is_packed and not convert.can_be_quantized(link)):
            raise errors.UserError(
                '%s: the model has no place for %s' % (path, name))
        to_put.append((link, attribute, values))
    for name, tensor in found.tensors.items():
        link = links.get(name.rpartition('/')[0])
        if link is None:
            continue  # the pixels' mean
        if isinstance(tensor, tensors.PackedTensor):
            quantizer = quantizers.Fixed(tensor.codes(), tensor.codebook)
            quantizer.to_device(link.device)
            convert.become_quantized(link, convert.Quantizers(quantizer))
        elif name.endswith('W') and getattr(
                link, 'weight_quantizer', None) is not None:
            link._set_quantizers(None, link.input_quantizer,
                                 link.gradient_quantizer)
    for link, attribute, values in to_put:
        _assign(link, attribute, values)


def _compare(path, own, found):
    """Refuses a model that is another than the file's."""
    for i, (a, b) in enumerate(zip(own.steps, found.steps), 1):
        if a != b:
            raise errors.UserError(
                '%s is of another model: its operation %d is %s, here it is '
                '%s' % (path, i, _in_words(b), _in_words(a)))
    if len(own.steps) != len(found.steps):
        raise errors.UserError(
            '%s is of another model: it has %d operations, here there are %d'
            % (path, len(found.steps), len(own.steps)))


def _in_words(step):
    return ' '.join([step.kind, *sorted(step.tensors.values()), *(
        '%s=%s' % item for item in sorted(step.given.items()))])


def _of_normalization(own, i, what, links, arrays):
    """How a BatchNormalization computes what has become of it.

    What it stands for is taken out of ``arrays``.

    Returns:
        list of tuples: Links, attributes, and their values.

    """
    step = own.steps[i]
    layer = folding.layer_before(own, i)
    link = links[folding.link_name(step)]
    found = []
    if what == 'weights':
        b = arrays.pop(folding.bias_name(layer))
        if 'b' in layer.tensors:
            arrays[layer.tensors['b']] = b
            b = numpy.zeros_like(b)
        rows = numpy.zeros_like(b), numpy.ones_like(b), b
    else:
        # once for all places of the same link
        factors = arrays.pop(folding.link_name(step), None)
        if factors is None:
            return []
        rows = factors if what == 'normalization' else (
            numpy.zeros_like(factors[0]), *factors)
        if what == 'scale_shift' and layer is not None and (
                'b' in layer.tensors):
            found.append(
                (links[layer.tensors['b'].rpartition('/')[0]], 'b', 0))
    mean, scale, shift = rows
    var = _variance_of_one(link.eps, mean.shape)
    if link.gamma is None:
        var = (1 / scale.astype(float) ** 2 - link.eps).astype('f')
    else:
        found.append((link, 'gamma', scale))
    if link.beta is None:
        mean = mean - shift / scale
    else:
        found.append((link, 'beta', shift))
    return found + [(link, 'avg_mean', mean), (link, 'avg_var', var)]


def _variance_of_one(eps, shape):
    """A variance that is 1 with eps: the scale is then gamma itself."""
    var = numpy.float32(1 - eps)
    for v in (var, numpy.nextafter(var, numpy.float32(2)),
              numpy.nextafter(var, numpy.float32(0))):
        if v + numpy.float32(eps) == 1:
            var = v
            break
    return numpy.full(shape, var, numpy.float32)


def _assign(link, attribute, values):
    value = getattr(link, attribute)
    array = value.array if isinstance(value, chainer.Variable) else value
    array[...] = link.device.send(numpy.asarray(values, array.dtype))
