"""The quantized layers of a log, a model or a snapshot."""

import chainer
from chainer import backend
from chainer import serializers
import numpy

from quantized_net import errors
from quantized_net.links import quantized_layer
from quantized_net import quantizers

_MODEL = 'updater/model:main/'
_METHODS = {'ttq': quantizers.TTQ, 'twn': quantizers.TWN}
_OPTIONS = ('threshold', 'sparsity', 'learn_scales', 'per_filter')


def of_log(log):
    """Names of the layers that a log has scales of, in the log's order."""
    return list(dict.fromkeys(
        key[:-len('/Wp')] for row in log for key in row
        if key.endswith('/Wp')))


def of_model(model):
    """Tuples of name and link, in the order of their definition."""
    return [(path.replace('predictor/', ''), link)
            for path, link in _links(model)
            if isinstance(link, quantized_layer.QuantizedLayer)
            and link.weight_quantizer is not None]


def weights(link):
    """Arrays of the latent and of the quantized weights, on the CPU."""
    return _weights(link.W.array, link.weight_quantizer)


def of_snapshot(path, settings, names):
    """The weights of layers in a snapshot.

    Args:
        path (str): Of the snapshot.
        settings (dict): Of the snapshot.
        names (list of str): Of the layers, as in the log.

    Returns:
        list: Tuples of name, latent and quantized weights.

    """
    method = settings.get('method')
    if method not in _METHODS:
        raise errors.UserError(
            'snapshot %s is of the method %s, not of %s'
            % (path, method, ' or '.join(sorted(_METHODS))))
    options = {name: settings[name] for name in _OPTIONS
               if settings.get(name) is not None}
    found = []
    with open(path, 'rb') as f, numpy.load(f) as archive:
        files = {name.replace('predictor/', ''): name
                 for name in archive.files}
        for name in names:
            file = files.get('%s%s/W' % (_MODEL, name))
            if file is None:
                raise errors.UserError(
                    'snapshot %s has no layer %s' % (path, name))
            quantizer = _METHODS[method](**options)
            serializers.NpzDeserializer(
                archive, file[:-1] + 'weight_quantizer/').load(quantizer)
            found.append((name, *_weights(archive[file], quantizer)))
    return found


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


def _weights(W, quantizer):
    with chainer.using_config('train', False):
        values = quantizers.decode(*quantizer.encode(W))
    cpu = backend.CpuDevice()
    return cpu.send(W), cpu.send(values)


def _links(link, path=''):
    yield path, link
    if isinstance(link, chainer.Chain):
        # namedlinks goes by the alphabet
        children = [(name, child) for name, child in vars(link).items()
                    if name in link._children]
    else:
        children = [(str(i), child)
                    for i, child in enumerate(link.children())]
    for name, child in children:
        yield from _links(child, path + '/' + name if path else name)
