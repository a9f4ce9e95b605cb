"""The quantized layers of a log or a snapshot."""

import chainer
from chainer import backend
from chainer import serializers

from quantized_net import errors
from quantized_net import methods
from quantized_net import npz
from quantized_net import quantizers

_MODEL = 'updater/model:main/'
_LIMIT = 1 << 30  # bytes of a layer's weights


def of_log(log):
    """Names of the layers that a log has scales of, in the log's order."""
    return list(dict.fromkeys(
        key[:-len('/Wp')] for row in log for key in row
        if key.endswith('/Wp')))


def weights(link):
    """The latent and the quantized weights, on the CPU, and the scales.

    Returns:
        tuple: Two arrays, and Wp and Wn with their signs (the largest, where
        each filter has its own), or ``None`` where there are no scales.

    """
    return _weights(link.W.array, link.weight_quantizer)


def of_snapshot(path, settings, names):
    """The weights of layers in a snapshot.

    Args:
        path (str): Of the snapshot.
        settings (dict): Of the snapshot.
        names (list of str): Of the layers, as in the log.

    Returns:
        list: Tuples of name, and what :func:`weights` returns.

    """
    make_quantizer = _maker(path, settings)
    found = []
    with npz.Archive(path, _LIMIT) as archive:
        files = {name.replace(_MODEL + 'predictor/', _MODEL): name
                 for name in archive.headers}
        for name in names:
            file = files.get('%s%s/W' % (_MODEL, name))
            if file is None:
                raise errors.UserError(
                    'snapshot %s has no layer %s' % (path, name))
            prefix = file[:-1] + 'weight_quantizer/'
            its = {key: archive.read(key) for key in archive.headers
                   if key.startswith(prefix)}
            quantizer = make_quantizer()
            try:
                serializers.NpzDeserializer(its, prefix).load(quantizer)
                found.append((name, *_weights(archive.read(file), quantizer)))
            except (KeyError, TypeError, ValueError) as e:
                raise errors.UserError('snapshot %s: layer %s is malformed '
                                       '(%s)' % (path, name, e))
    return found


def _maker(path, settings):
    """What makes the quantizers of a snapshot, by its settings."""
    try:
        method = methods.get(settings.get('method'))
        options = method.default_options()
        vars(options).update(settings)
        if method.weight_quantizer(options) is None:
            raise ValueError('the method %s quantizes nothing' % method.name)
    except (TypeError, ValueError) as e:
        raise errors.UserError(
            'snapshot %s: its settings give no quantizer (%s)' % (path, e))
    return lambda: method.weight_quantizer(options)


def choose(names, wanted=None):
    """The wanted layers; else all, or of many the first, middle and last.

    Raises:
        ~quantized_net.UserError: Where a wanted one is not there.

    """
    if wanted:
        for name in wanted:
            if name not in names:
                raise errors.UserError(
                    'no quantized layer %s; there are %s'
                    % (name, ', '.join(names)))
        return list(wanted)
    if len(names) > 4:
        return [names[0], names[len(names) // 2], names[-1]]
    return list(names)


def most_kernels(layers):
    """The name of the convolution that fills most of the picture, or None.

    Args:
        layers (list of tuple): Names and shapes of the weights.

    """
    convolutions = [(name, shape) for name, shape in layers
                    if len(shape) == 4]
    if not convolutions:
        return None
    return max(convolutions, key=lambda layer: (
        min(layer[1][0], 10) * min(layer[1][1], 10)))[0]


def _weights(W, quantizer):
    with chainer.using_config('train', False):
        values = quantizers.decode(*quantizer.encode(W))
        scales = quantizer.scales(W)
    if scales is not None:
        scales = tuple(float(scale.max()) for scale in scales)
    cpu = backend.CpuDevice()
    return cpu.send(W), cpu.send(values), scales
