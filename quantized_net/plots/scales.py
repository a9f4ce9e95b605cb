"""The two scales and the shares of the three values, epoch by epoch."""

from quantized_net.plots import _canvas

_SHARES = (('negative', _canvas.NEGATIVE), ('zero', _canvas.ZERO),
           ('positive', _canvas.POSITIVE))


def draw_scales(log, layers, path, title=''):
    """Draws Wp, -Wn and the shares of the values, a column for each layer.

    Args:
        log (list of dict): Of LogReport, with the entries of
            :class:`~quantized_net.extensions.TernaryReport`.
        layers (list of str): Names of the layers, as in the log.
        path (str): Of the PNG file.
        title (str): Of the picture.

    Returns:
        matplotlib.figure.Figure: What was drawn.

    .. seealso:: Zhu et al., arXiv:1612.01064, figure 2.

    """
    picture = _canvas.make(1.6 + 2.6 * len(layers), 5.2, title)
    grid = picture.subplots(2, len(layers), squeeze=False, sharex='col')
    for layer, (top, bottom) in zip(layers, grid.T):
        _draw_values(top, log, layer)
        _draw_shares(bottom, log, layer)
    grid[0, 0].set_ylabel('value')
    grid[1, 0].set_ylabel('share of the weights (%)')
    for axes in grid[:, -1]:
        axes.legend(
            reverse=axes is grid[1, -1],  # as they lie on each other
            loc='center left', bbox_to_anchor=(1.02, .5), frameon=False,
            fontsize=9)
    _canvas.save(picture, path)
    return picture


def _draw_values(axes, log, layer):
    epochs, Wp, Wn = _canvas.series(log, layer + '/Wp', layer + '/Wn')
    axes.axhline(0, color=_canvas.COLORS[2], linewidth=.8)
    marker = 'o' if len(epochs) < 30 else ''
    axes.plot(epochs, Wp, color=_canvas.POSITIVE, label='$W_p$',
              marker=marker, markersize=3, linewidth=1.6, clip_on=False)
    axes.plot(epochs, [-value for value in Wn], color=_canvas.NEGATIVE,
              label='$-W_n$', marker=marker, markersize=3, linewidth=1.6,
              clip_on=False)
    axes.set_title(layer, fontsize=10)
    _canvas.style(axes)


def _draw_shares(axes, log, layer):
    epochs, *shares = _canvas.series(
        log, *['%s/%s' % (layer, name) for name, _ in _SHARES])
    shares = [[100 * value for value in share] for share in shares]
    names, colors = zip(*_SHARES)
    if len(epochs) > 1:
        axes.stackplot(epochs, shares, labels=names, colors=colors)
        axes.set_xlim(epochs[0], epochs[-1])
    else:
        # an area of one epoch would have no width
        bottom = 0.
        for share, name, color in zip(shares, names, colors):
            axes.bar(epochs, share, .5, bottom, label=name, color=color)
            bottom += sum(share)
        axes.margins(x=.5)
    axes.set_ylim(0, 100)
    _canvas.style_epochs(axes, 5)
    axes.set_axisbelow(False)
    axes.grid(color='white', linewidth=.6, alpha=.5)
