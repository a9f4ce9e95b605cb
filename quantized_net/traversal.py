"""The links of a model, in the order in which they were defined."""

import chainer

from quantized_net.links import quantized_layer


def links_in_order(link, path=''):
    """Pairs of path and link.

    Chainer's ``namedlinks`` goes by the alphabet.  Paths begin without a
    slash: ``'predictor/conv1'``.
    """
    yield path, link
    if isinstance(link, chainer.Chain):
        children = [(name, child) for name, child in vars(link).items()
                    if name in link._children]
    else:
        children = [(str(i), child)
                    for i, child in enumerate(link.children())]
    for name, child in children:
        yield from links_in_order(child, path + '/' + name if path else name)


def quantized_layers(model):
    """Pairs of name and layer, of those with a weight quantizer.

    The names are paths; that of a classifier's predictor is left out.
    """
    return [(path.removeprefix('predictor/'), link)
            for path, link in links_in_order(model)
            if isinstance(link, quantized_layer.QuantizedLayer)
            and link.weight_quantizer is not None]
