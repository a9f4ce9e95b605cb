"""An ordinary Chainer model becomes a quantized one, in place."""

import collections
import itertools
import warnings
import zipfile

from chainer import links as L
import numpy

from quantized_net import errors
from quantized_net import links
from quantized_net import quantizers
from quantized_net import text_table
from quantized_net import traversal

_CLASSES = {
    L.Linear: links.QuantizedLinear,
    L.Convolution2D: links.QuantizedConvolution2D,
    L.DilatedConvolution2D: links.QuantizedConvolution2D,
    links.Convolution2D: links.QuantizedConvolution2D,
    links.QuantizedLinear: links.QuantizedLinear,
    links.QuantizedConvolution2D: links.QuantizedConvolution2D,
}

Quantizers = collections.namedtuple(
    'Quantizers', 'weight input gradient', defaults=(None, None, None))

Converted = collections.namedtuple('Converted', 'path kind action')


class Report(list):

    """What was done to each layer: a list of :class:`Converted`."""

    def __str__(self):
        return '\n'.join(text_table.lay_out(self, n_left=3))


def quantize(model, method, skip=(), **options):
    """Quantizes the weights of a model's layers, in place.

    Linear, Convolution2D and DilatedConvolution2D layers turn into quantized
    ones wherever they stand: in nested Chains, ChainLists and Sequentials,
    and in blocks that are used more than once.  They stay the same objects,
    with the same parameters, names and devices, so every reference to them
    is still right.  Call it before ``optimizer.setup(model)``, which has to
    see the parameters of the quantizers; where it was called before and
    there are such parameters, a warning says so.

    Args:
        model (~chainer.Link): The model.
        method (str or callable): A name of
            :data:`quantized_net.quantizers.NAMED`; or what returns a new
            :class:`~quantized_net.quantizers.Quantizer` at each call.
        skip: Paths of layers, or of parts of the model, that stay float, as
            ``('conv1', 'block2/fc')``; or a predicate ``f(path, link)``.
        options: Of the quantizer, where ``method`` is a name.

    Returns:
        Report: What was done to each layer; it prints as a table.

    Raises:
        ~quantized_net.UserError: For an unknown method, a name in ``skip``
            that matches nothing, a model without any layer to quantize, a
            layer that is quantized already, one of a class of its own, or
            one that would be all zeros.  The model is then as it was.

    """
    import inspect
    if callable(method) and not isinstance(method, type) and len(
            inspect.signature(method).parameters) == 2:
        rule = method
    else:
        make = _factory(method, options)
        rule = lambda path, link: make()  # noqa: E731
    layers = _layers(model)
    skipped = _skipped(layers, skip)
    report = Report()
    chosen = []
    extras = {}
    for path, link in layers:
        if path in skipped:
            report.append(Converted(path, type(link).__name__, 'skipped'))
            continue
        quantizer = rule(path, link)
        extra = ()
        if isinstance(quantizer, Quantizers):
            quantizer, extra = quantizer.weight, quantizer[1:]
        _check(path, link, quantizer)
        chosen.append((link, quantizer))
        extras[id(link)] = extra
        report.append(Converted(
            path, type(link).__name__, 'quantized: %s' % quantizer))
    if not chosen:
        raise errors.UserError(
            'the model has no Linear or Convolution2D layer to quantize%s'
            % (' that is not skipped' if layers else ''))
    if any(link.W.update_rule is not None and list(quantizer.params())
           for link, quantizer in chosen):
        warnings.warn(
            'the model has an optimizer already, which does not see the '
            'parameters of the quantizers: call optimizer.setup(model) again',
            stacklevel=2)
    for link, quantizer in chosen:
        _become_quantized(link, quantizer)
        for name, q in zip(('input_quantizer', 'gradient_quantizer'), extras[id(link)]):
            with link.init_scope():
                delattr(link, name)
                setattr(link, name, q)
    return report


def _factory(method, options):
    if callable(method):
        if options:
            raise TypeError('options go with the name of a method')
        return method
    if method not in quantizers.NAMED:
        raise errors.UserError('unknown method %r; there are: %s' % (
            method, ', '.join(sorted(quantizers.NAMED))))
    make = quantizers.NAMED[method]
    try:
        make(**options)
    except (TypeError, ValueError) as e:
        raise errors.UserError('%s: %s' % (method, e))
    return lambda: make(**options)


def _layers(model):
    """Layers that have a W to quantize, once each, with their paths."""
    found, seen = [], set()
    for path, link in traversal.links_in_order(model):
        is_layer = isinstance(link, tuple(_CLASSES))
        if is_layer and id(link) not in seen:
            seen.add(id(link))
            found.append((path or type(link).__name__, link))
    return found


def _skipped(layers, skip):
    if callable(skip):
        return {path for path, link in layers if skip(path, link)}
    skipped = set()
    for name in [skip] if isinstance(skip, str) else skip:
        name = name.strip('/')
        matching = {path for path, _ in layers
                    if path == name or path.startswith(name + '/')}
        if not matching:
            raise errors.UserError(
                'skip: the model has no layer %r; its layers are: %s'
                % (name, ', '.join(path for path, _ in layers) or 'none'))
        skipped |= matching
    return skipped


def _check(path, link, quantizer):
    if type(link) not in _CLASSES:
        raise errors.UserError(
            'layer %s is of the class %s, which may do more than %s; skip it'
            % (path, type(link).__name__, type(link).__mro__[1].__name__))
    if getattr(link, 'weight_quantizer', None) is not None:
        raise errors.UserError('layer %s is quantized already' % path)
    if link.W.array is not None:
        quantizer.to_device(link.W.device)
        codes, codebook = quantizer.encode(link.W.array)
        if not bool(quantizers.decode(codes, codebook).any()):
            raise errors.UserError(
                'layer %s would be all zeros; use a lower threshold or skip '
                'it' % path)


def _become_quantized(link, quantizer):
    # The object itself changes its class: whoever refers to it, a parent, a
    # list, a hook or the model's own attribute, needs no change.
    cls = _CLASSES[type(link)]
    if type(link) is not cls:
        if type(link) is L.DilatedConvolution2D:
            link.groups = 1
            link.cudnn_fast = False
            link.x_layout = None
            link.in_channels = (
                None if link.W.array is None else link.W.shape[1])
        link.__class__ = cls
        link._children = set()
        link._set_quantizers(None, None, None)
    with link.init_scope():
        # Chainer registers no link where an attribute is: None is
        del link.weight_quantizer
        link.weight_quantizer = quantizer


def load_float(path, model):
    """Fills a quantized model from a float snapshot.

    Args:
        path (str): An npz file of the model, or a snapshot of its trainer.
        model (~chainer.Link): Filled in place.

    Returns:
        list of str: What stayed at its initial value (the parameters of the
        quantizers).  Those that start from the weights take the loaded ones
        (:meth:`~quantized_net.quantizers.Quantizer.initialize_from`).

    Raises:
        ~quantized_net.UserError: Where the file is missing, damaged, or of
            another architecture.  The model is then as it was.

    """
    try:
        with open(path, 'rb') as f, numpy.load(f) as archive:
            saved = {name: archive[name] for name in archive.files}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as e:
        raise errors.UserError(
            'float snapshot %s can not be read (%s)' % (path, e))
    serialized = list(itertools.chain(
        ((name, param, 'array') for name, param in model.namedparams()),
        ((link_path.rstrip('/') + '/' + name, link, name)
         for link_path, link in model.namedlinks()
         for name in link._persistent)))
    of_quantizers = {
        name for name, _, _ in serialized
        if '_quantizer/' in name}
    prefix = _find_prefix(saved, [
        name for name, _, _ in serialized if name not in of_quantizers])
    stayed, values = [], []
    for name, owner, attribute in serialized:
        value = saved.get(prefix + name.lstrip('/'))
        current = getattr(owner, attribute)
        if value is None and name in of_quantizers:
            stayed.append(name)
            continue
        if value is None or (
                hasattr(current, 'shape') and value.shape != current.shape):
            raise errors.UserError(
                'float snapshot %s is of another architecture: %s is %s there '
                'and %s here' % (
                    path, name, 'missing' if value is None
                    else 'of shape %s' % (value.shape,),
                    'of shape %s' % (getattr(current, 'shape', ()),)))
        values.append((owner, attribute, value, current))
    for name, owner, attribute in serialized:
        if name in stayed and attribute == 'initialized':
            # first values are those of the loaded weights
            owner.initialized = False
    for owner, attribute, value, current in values:
        if current is None and attribute == 'array':
            owner.initialize(value.shape)
            current = owner.array
        if hasattr(current, 'shape') and current.shape == value.shape and (
                hasattr(current, 'fill')):
            current[...] = owner.device.send(value.astype(current.dtype))
        else:
            setattr(owner, attribute, type(current)(value))
    return stayed


def _find_prefix(saved, names):
    """Where in the file the model begins: most of its names are there."""
    prefixes = {''}
    for key in saved:
        for name in names[:1]:
            if ('/' + key).endswith(name):
                prefixes.add(key[:len(key) - len(name) + 1])
    return max(sorted(prefixes, key=len), key=lambda prefix: sum(
        prefix + name.lstrip('/') in saved for name in names))
