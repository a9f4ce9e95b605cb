"""Curves of the log against the epoch."""

import os

from chainer.training import extension

from quantized_net.plots import _canvas


class PlotCurves(extension.Extension):

    """Draws entries of the log against the epoch into a PNG file.

    Args:
        keys (dict): From the key of the log to its label.
        filename (str): Name of the file in the output directory.
        ylabel (str): Label of the vertical axis.
        title (str): Title of the picture.
        references (list): Published curves as tuples ``(label, values,
            index)``: ``values`` from epoch 1 on, drawn dashed in the color
            of the ``index``-th key.

    """

    only_writes = True  # one rank alone calls it
    trigger = 1, 'epoch'

    def __init__(self, keys, filename, ylabel, title='', references=()):
        self._keys = keys
        self._filename = filename
        self._ylabel = ylabel
        self._title = title
        self._references = references

    def __call__(self, trainer):
        draw(trainer.get_extension('LogReport').log, self._keys,
             os.path.join(trainer.out, self._filename), self._ylabel,
             self._title, self._references)


def draw(log, keys, path, ylabel, title='', references=()):
    """Draws entries of a log; the arguments are those of the extension."""
    picture = _canvas.make(6.4, 4)
    axes = picture.add_subplot()
    for (key, label), color in zip(keys.items(), _canvas.COLORS):
        points = [(row['epoch'], row[key]) for row in log if key in row]
        if points:
            axes.plot(*zip(*points), color=color, label=label, marker='o',
                      markersize=3, linewidth=1.6)
    for label, values, index in references:
        axes.plot(range(1, len(values) + 1), values,
                  color=_canvas.COLORS[index], label=label, linestyle='--',
                  linewidth=1, alpha=.8)
    _canvas.style_epochs(axes)
    axes.set_ylabel(ylabel)
    axes.set_title(title, fontsize=10)
    if axes.lines:
        axes.legend(frameon=False, fontsize=8)
    _canvas.save(picture, path)
