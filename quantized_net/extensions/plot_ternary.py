"""Pictures of the quantized weights while they train."""

import os

from chainer.training import extension

from quantized_net import plots
from quantized_net.plots import _layers
from quantized_net import traversal


class PlotTernary(extension.Extension):

    """Draws the quantized weights into the output directory.

    ``scales.png`` and ``flips.png`` come from the log, which has to have the
    entries of :class:`~quantized_net.extensions.TernaryReport`, without
    which they are left out; ``histogram.png``, and ``kernels.png`` of a
    convolution that has many, come from the model, to which nothing is
    written.

    Args:
        model (~chainer.Link): The model.
        layers (list of str): Names of the layers to draw, as in the log;
            without it all, or of more than four the first, the middle and
            the last.
        title (str): Title of the pictures.

    Raises:
        ~quantized_net.UserError: Where there is no such quantized layer.

    """

    trigger = 1, 'epoch'
    priority = extension.PRIORITY_READER - 1  # LogReport has its row by then

    def __init__(self, model, layers=None, title=''):
        self._links = dict(traversal.quantized_layers(model))
        self._chosen = _layers.choose(list(self._links), layers)
        self._shown = list(layers or self._links)
        self._title = title

    def __call__(self, trainer):
        def path(name):
            return os.path.join(trainer.out, name)

        log = trainer.get_extension('LogReport').log
        logged = _layers.of_log(log)
        chosen = [name for name in self._chosen if name in logged]
        if chosen:
            plots.draw_scales(log, chosen, path('scales.png'), self._title)
            plots.draw_flips(
                log, [name for name in self._shown if name in logged],
                path('flips.png'), self._title)
        if self._chosen:
            plots.draw_histogram(
                [(name, *_layers.weights(self._links[name]))
                 for name in self._chosen],
                path('histogram.png'), self._title)
        name = _layers.most_kernels(
            [(name, self._links[name].W.shape) for name in self._shown])
        if name is not None:
            _, values, scales = _layers.weights(self._links[name])
            plots.draw_kernels(name, values, path('kernels.png'),
                               self._title, scales=scales)
