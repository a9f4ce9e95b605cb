"""An ordinary Chainer model becomes a quantized one, in place."""

import collections
import collections.abc
import fnmatch
import inspect
import warnings

from chainer import links as L

from quantized_net import errors
from quantized_net import links
from quantized_net.links import quantized_layer
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

_NAMES = 'weight_quantizer', 'input_quantizer', 'gradient_quantizer'

Quantizers = collections.namedtuple(
    'Quantizers', 'weight input gradient', defaults=(None, None, None))
Quantizers.__doc__ = """The quantizers of a layer; ``None`` for none.

Attributes:
    weight, input, gradient (~quantized_net.quantizers.Quantizer or None):
        As in :class:`~quantized_net.links.QuantizedLayer`.
"""

Converted = collections.namedtuple('Converted', 'path kind action')


class Report(list):

    """What was done to each layer: a list of :class:`Converted`."""

    def __str__(self):
        return '\n'.join(text_table.lay_out(self, n_left=3))


def quantize(model, method, skip=(), **options):
    """Quantizes a model's layers, in place.

    Linear, Convolution2D and DilatedConvolution2D layers turn into quantized
    ones wherever they stand: in nested Chains, ChainLists and Sequentials,
    and in blocks that are used more than once.  They stay the same objects,
    with the same parameters, names and devices, so every reference to them
    is still right.  Call it before ``optimizer.setup(model)``, which has to
    see the parameters of the quantizers; where it was called before and
    there are such parameters, a warning says so.

    Args:
        model (~chainer.Link): The model.
        method: What each layer gets:

            * a name of :data:`quantized_net.quantizers.NAMED`, for the
              weights;
            * what returns a new quantizer of weights at each call, a class
              for example;
            * a rule ``f(path, link)``, which returns a quantizer of weights,
              :class:`Quantizers`, or ``None`` for a layer that stays float;
            * a dict from patterns of paths to one of these, to a name with
              options, or to ``None``, as ``{'conv*': 'ttq', 'fc1':
              ('linear', {'bits': 4})}``.  A pattern matches a path or the
              beginning of one, the first that does counts, and layers that
              none matches stay float.

        skip: Paths of layers, or of parts of the model, that stay float, as
            ``('conv1', 'block2/fc')``; or a predicate ``f(path, link)``.
        options: Of the quantizer, where ``method`` is a name.

    Returns:
        Report: A row for each link with a ``W``: what was done to it, or why
        it stays as it is.  It prints as a table.

    Raises:
        ~quantized_net.UserError: For an unknown method, a name in ``skip``
            or a pattern that matches nothing, a model without any layer left
            to quantize, a layer of a class of its own, one that would be all
            zeros, or one quantizer for two layers.  The model is then as it
            was.

    """
    layers = _layers(model)
    rule = _rule(method, options, [path for path, _ in layers])
    skipped = _skipped(layers, skip)
    report = Report()
    chosen = []
    for path, link in layers:
        action = 'skipped' if path in skipped else _why_left(link)
        if action is None:
            found = rule(path, link)
            if not isinstance(found, Quantizers):
                found = Quantizers(found)
            if found == Quantizers():
                action = 'left float: by the method'
            else:
                _check(path, link, found)
                chosen.append((path, link, found))
                action = 'quantized: %s' % ', '.join(
                    '%s%s' % ('' if name == 'weight' else name + ' by ', q)
                    for name, q in zip(found._fields, found) if q is not None)
        report.append(Converted(path, type(link).__name__, action))
    if not chosen:
        raise errors.UserError(
            'the model has no Linear or Convolution2D layer to quantize%s'
            % (' that is not skipped, float by the method or quantized '
               'already' if layers else ''))
    _check_instances(chosen)
    if any(link.W.update_rule is not None and any(
            list(q.params()) for q in found if q is not None)
           for _, link, found in chosen):
        warnings.warn(
            'the model has an optimizer already, which does not see the '
            'parameters of the quantizers: call optimizer.setup(model) again',
            stacklevel=2)
    for _, link, found in chosen:
        become_quantized(link, found)
    return report


def _rule(method, options, paths):
    """A function from path and link to what the layer gets."""
    if options and not isinstance(method, str):
        raise TypeError('options go with the name of a method')
    if isinstance(method, collections.abc.Mapping):
        return _rule_of_patterns(method, paths)
    if isinstance(method, str):
        make = _factory(method, options)
    elif method is None:
        return lambda path, link: None
    elif not callable(method):
        raise errors.UserError(
            'method: %r is no name, no callable and no dict of them'
            % (method,))
    elif not isinstance(method, type) and _n_required(method) == 2:
        return method
    else:
        make = method
    return lambda path, link: make()


def _n_required(function):
    return sum(
        parameter.default is parameter.empty and parameter.kind in (
            parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        for parameter in inspect.signature(function).parameters.values())


def _rule_of_patterns(method, paths):
    rules = {}
    for pattern, value in method.items():
        if not any(_matches(path, pattern) for path in paths):
            raise errors.UserError(
                'the pattern %r matches no layer; there are: %s'
                % (pattern, ', '.join(paths) or 'none'))
        name, options = value if isinstance(value, tuple) else (value, {})
        rules[pattern] = _rule(name, options, paths)

    def rule(path, link):
        for pattern, found in rules.items():
            if _matches(path, pattern):
                return found(path, link)
        return None
    return rule


def _matches(path, pattern):
    parts = path.split('/')
    return any(fnmatch.fnmatchcase('/'.join(parts[:n + 1]), pattern)
               for n in range(len(parts)))


def _factory(name, options):
    if name not in quantizers.NAMED:
        raise errors.UserError('unknown method %r; there are: %s' % (
            name, ', '.join(sorted(quantizers.NAMED))))
    make = quantizers.NAMED[name]
    known = list(inspect.signature(make).parameters)
    for option in options:
        if option not in known:
            raise errors.UserError('%s has no option %r; there are: %s' % (
                name, option, ', '.join(known)))
    try:
        make(**options)
    except (TypeError, ValueError) as e:
        raise errors.UserError('%s: %s' % (name, e))
    return lambda: make(**options)


def _layers(model):
    """Links that have a W, once each, with their paths."""
    found, seen = [], set()
    for path, link in traversal.links_in_order(model):
        if 'W' in link._params and id(link) not in seen:
            seen.add(id(link))
            found.append((path or type(link).__name__, link))
    return found


def _why_left(link):
    """Why a layer is not to be quantized, or ``None`` where it is."""
    if not isinstance(link, tuple(_CLASSES)):
        return 'left float: no Linear and no Convolution2D'
    quantizer = getattr(link, 'weight_quantizer', None)
    if quantizer is not None:
        return 'quantized already: %s' % quantizer
    return None


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


def _check(path, link, found):
    if type(link) not in _CLASSES:
        raise errors.UserError(
            'layer %s is of the class %s, which may do more than %s; skip it'
            % (path, type(link).__name__, type(link).__mro__[1].__name__))
    if link.W.layout is not None:
        raise errors.UserError(
            'layer %s has a memory layout of compute_mode cudnn_fast; make '
            'the model without that mode, or skip it' % path)
    if link.W.array is None or found.weight is None:
        return
    found.weight.to_device(link.W.device)
    try:
        codes, codebook = found.weight.encode(link.W.array)
    except ValueError as e:
        raise errors.UserError('layer %s: %s' % (path, e))
    if not bool(quantizers.decode(codes, codebook).any()):
        raise errors.UserError(
            'layer %s would be all zeros; use a lower threshold or skip it'
            % path)


def _check_instances(chosen):
    owners = {}  # type: dict[int, str]
    for path, _, found in chosen:
        for quantizer in found:
            if quantizer is None:
                continue
            if id(quantizer) in owners or (
                    quantized_layer.is_taken(quantizer)):
                raise errors.UserError(
                    'layer %s: its quantizer is that of %s, too; return a '
                    'new one for each layer' % (
                        path, owners.get(id(quantizer), 'another layer')))
            owners[id(quantizer)] = path


def can_be_quantized(link):
    """Whether a layer is of a class that :func:`become_quantized` takes."""
    return type(link) in _CLASSES


def become_quantized(link, found):
    """Turns a layer into a quantized one, in place (:class:`Quantizers`)."""
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
    # what an own layer has already stays, where nothing takes its place
    link._set_quantizers(*[
        getattr(link, name) if quantizer is None else quantizer
        for name, quantizer in zip(_NAMES, found)])
