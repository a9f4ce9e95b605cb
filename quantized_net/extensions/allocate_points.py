"""Shares points out among layers, by the norms of their gradients."""

import copy

from chainer.dataset import convert
from chainer.training import extension
import numpy

from quantized_net import traversal


def allocate(norms, n_points, most):
    """How many points each of some tensors gets.

    Half of the points each has by itself; the other halves go by the norms
    of the gradients, in whole points, and what is left to the largest.

    Args:
        norms (list of float): Of the gradients of the tensors.
        n_points (int): Of each tensor in the mean.
        most (int): The largest number of a tensor.

    Returns:
        list of int

    .. seealso:: Polino et al., arXiv:1802.05668, section 4.1, and its code

    """
    shares = numpy.asarray(norms, 'd')
    total = shares.sum()
    if not total > 0:  # or NaN
        return [n_points] * len(norms)
    rest = (n_points - n_points // 2) * len(norms)
    found = [n_points // 2 + int(rest * share / total) for share in shares]
    left = n_points * len(norms) - sum(found)
    for i in numpy.argsort(-shares, kind='stable'):
        found[i] += left
        left = max(found[i] - most, 0)
        found[i] -= left
    return [max(n, 2) for n in found]


class AllocatePoints(extension.Extension):

    """Before the first iteration, shares the quantizers' points out.

    The norms are those of the mean gradient at the quantized weights, of
    the first minibatches that the trainer will see.  A run that is resumed
    has the shares in its snapshot.

    Args:
        model (~chainer.Link): The classifier.
        n_batches (int): How many minibatches.

    .. seealso:: :class:`quantized_net.quantizers.Points`

    """

    trigger = 1, 'epoch'

    def __init__(self, model, n_batches=5):
        self._model = model
        self._n_batches = n_batches

    def initialize(self, trainer):
        updater = trainer.updater
        if updater.iteration:
            return
        layers = [link for _, link in traversal.quantized_layers(self._model)
                  if hasattr(link.weight_quantizer, 'set_number')]
        if not layers:
            return
        norms = self._norms(updater, [link.W for link in layers])
        quantizers = [link.weight_quantizer for link in layers]
        for quantizer, n in zip(quantizers, allocate(
                norms, quantizers[0].n_points, len(quantizers[0].points))):
            quantizer.set_number(n)

    def __call__(self, trainer):
        pass

    def _norms(self, updater, weights):
        """Leaves iterator, random state and the model's statistics alone."""
        iterator = copy.copy(updater.get_iterator('main'))
        state = numpy.random.get_state()
        model = self._model.copy('copy')
        copies = dict(model.namedparams())
        found = [copies[name] for name, param in self._model.namedparams()
                 if any(param is W for W in weights)]
        model.cleargrads()
        try:
            for _ in range(self._n_batches):
                batch = convert._call_converter(
                    updater.converter, iterator.next(), updater.input_device)
                model(*batch).backward()
        finally:
            numpy.random.set_state(state)
        return [float((param.grad ** 2).sum()) ** .5 for param in found]
