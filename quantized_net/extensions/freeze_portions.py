"""Weights that are quantized for good, portion by portion."""

import chainer
from chainer.training import extension

from quantized_net import errors
from quantized_net import traversal


class FreezePortions(extension.Extension):

    """Freezes accumulated portions of the weights of every INQ layer.

    It depends on nothing but the epoch, so a resumed run freezes what it
    would have.  Each epoch it reports ``frozen``, the share of the weights of
    these layers.

    Args:
        model (~chainer.Link): The model, its weights initialized.
        portions (list of float): The shares of the weights that are frozen
            then, those before among them.
        epochs (list of float): From when on each of them is.

    .. seealso:: Zhou et al., arXiv:1702.03044, algorithm 1;
        :class:`quantized_net.quantizers.INQ`

    """

    trigger = 1, 'iteration'
    priority = extension.PRIORITY_EDITOR

    def __init__(self, model, portions, epochs):
        self._layers = [
            (path, link) for path, link in traversal.quantized_layers(model)
            if hasattr(link.weight_quantizer, 'freeze')]
        self._steps = list(zip(epochs, portions))
        self._done = None

    def initialize(self, trainer):
        self._done = None
        self._freeze(trainer.updater.epoch_detail)

    def __call__(self, trainer):
        self._freeze(trainer.updater.epoch_detail)
        if self._layers and trainer.updater.is_new_epoch:
            n_frozen = sum(int(link.weight_quantizer.mask(link.W.array).sum())
                           for _, link in self._layers)
            chainer.report({'frozen': n_frozen / sum(
                link.W.size for _, link in self._layers)})

    def _freeze(self, epoch):
        portion = max((portion for start, portion in self._steps
                       if epoch >= start - 1e-6), default=0.)
        if portion == self._done:
            return
        for path, link in self._layers:
            if link.W.array is None:
                raise errors.UserError(
                    'layer %s has no weights to freeze yet; run the model '
                    'once before' % path)
            with chainer.using_device(link.device):
                link.weight_quantizer.freeze(link.W.array, portion)
        self._done = portion
