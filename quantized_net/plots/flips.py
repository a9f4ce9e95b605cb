"""How many weights change their value, epoch by epoch."""

from quantized_net.plots import _canvas


def draw_flips(log, layers, path, title=''):
    """Draws the share of weights whose code changed, for each layer.

    The axis is logarithmic where the shares span a factor of ten; a share of
    0 then lies on its lower edge.

    Args:
        log (list of dict): Of LogReport, with the entries of
            :class:`~quantized_net.extensions.TernaryReport`.
        layers (list of str): Names of the layers, as in the log.
        path (str): Of the PNG file.
        title (str): Of the picture.

    Returns:
        matplotlib.figure.Figure: What was drawn.

    """
    from matplotlib import ticker

    picture = _canvas.make(6.4, 4, title)
    axes = picture.add_subplot()
    shown = []
    for layer, color in zip(layers, _colors(len(layers))):
        epochs, flips = _canvas.series(log, layer + '/flips')
        flips = [100 * value for value in flips]
        shown += [value for value in flips if value > 0]
        axes.plot(epochs, flips, color=color, label=layer,
                  marker='o' if len(epochs) < 30 else '', markersize=3,
                  linewidth=1.6)
    _canvas.style_epochs(axes)
    axes.set_ylabel('weights that changed their value (%)')
    if shown and max(shown) > 10 * min(shown):
        axes.set_yscale('log')
        axes.set_ylim(min(shown) / 1.4, max(shown) * 1.4)
        axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter('{x:g}')
        axes.yaxis.set_minor_locator(ticker.NullLocator())
    else:
        axes.set_ylim(bottom=0)
    picture.legend(loc='outside right center', frameon=False, fontsize=8,
                   ncols=1 + (len(layers) - 1) // 24)
    _canvas.save(picture, path)
    return picture


def _colors(n):
    if n <= len(_canvas.COLORS):
        return _canvas.COLORS[:n]
    # from the first layer to the last
    import matplotlib
    return matplotlib.colormaps['viridis']([i / n for i in range(n)])
