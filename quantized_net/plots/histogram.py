"""Where the latent weights lie, and which value each becomes."""

import numpy

from quantized_net.plots import _canvas


def draw_histogram(layers, path, title=''):
    """Draws a histogram of the latent weights for each layer.

    The color of a bar tells which value the weights become, triangles
    above mark the values themselves (those on the edge lie outside), and
    dashed lines the thresholds (none where the filters have thresholds of
    their own).

    Args:
        layers (list of tuple): ``(name, W, values)`` with the arrays of the
            latent and of the quantized weights; or ``(name, W, values, (Wp,
            Wn))`` with the scales, of which one may be negative: weights
            above the threshold are then those of Wp, whatever its sign.
        path (str): Of the PNG file.
        title (str): Of the picture.

    Returns:
        matplotlib.figure.Figure: What was drawn.

    """
    n_columns = min(len(layers), 3)
    n_rows = -(-len(layers) // n_columns)
    picture = _canvas.make(
        max(3.4 * n_columns, 5.5), .6 + 2.9 * n_rows, title)
    grid = picture.subplots(n_rows, n_columns, squeeze=False)
    for axes, layer in zip(grid.flat, layers):
        _draw_layer(axes, *layer)
    for axes in grid.flat[len(layers):]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel('number of weights')
    entries = dict(
        (label, handle) for axes in grid.flat
        for handle, label in zip(*axes.get_legend_handles_labels()))
    picture.legend(entries.values(), entries.keys(),
                   loc='outside lower center', ncols=max(len(entries), 1),
                   frameon=False, fontsize=9, handlelength=1.6,
                   columnspacing=1.4)
    _canvas.save(picture, path)
    return picture


def threshold(W, values):
    """The threshold that stands between the zeros and the others.

    Args:
        W (numpy.ndarray): Latent weights.
        values (numpy.ndarray): Quantized weights.

    Returns:
        float or None: ``None`` where no single one does.

    """
    magnitude = numpy.abs(W)
    inside = magnitude[values == 0]
    outside = magnitude[values != 0]
    if not inside.size or not outside.size or inside.max() > outside.min():
        return None
    return float(inside.max() + outside.min()) / 2


def _bins(W, delta):
    # edges around 0, the thresholds among them
    limit = max(numpy.abs(W).max(), 1e-12)
    width = limit / numpy.clip(W.size ** .5, 20, 50)
    if delta and delta > .2 * width:
        width = delta / max(round(delta / width), 1)
    n = int(limit / width) + 1
    return width * numpy.arange(-n, n + 1)


def _draw_layer(axes, name, W, values, scales=None):
    if not numpy.isfinite(W).all():
        axes.set_title('%s: not finite' % name, fontsize=10)
        return
    levels = numpy.unique(values)
    delta = threshold(W, values)
    edges = _bins(W, delta)
    limit = 1.05 * edges[-1]
    if numpy.abs(levels).max() < 1.6 * limit:
        limit = max(limit, 1.1 * numpy.abs(levels).max())
    bottom = numpy.zeros(len(edges) - 1)
    side = values if scales is None else numpy.sign(W) * (values != 0)
    for label, color, where in (
            ('becomes $-W_n$', _canvas.NEGATIVE, side < 0),
            ('becomes 0', _canvas.COLORS[2], side == 0),
            ('becomes $W_p$', _canvas.POSITIVE, side > 0)):
        counts = numpy.histogram(W[where], edges)[0]
        axes.stairs(bottom + counts, edges, baseline=bottom, fill=True,
                    color=color, label=label)
        bottom = bottom + counts
    if delta is not None:
        for start, end, color in (
                (-limit, -delta, _canvas.NEGATIVE),
                (-delta, delta, _canvas.ZERO),
                (delta, limit, _canvas.POSITIVE)):
            axes.axvspan(start, end, color=color, alpha=.09, linewidth=0,
                         zorder=0)
        for x in (-delta, delta):
            axes.axvline(x, color=_canvas.INK, linestyle='--', linewidth=.9,
                         label='threshold $\\pm\\Delta$')
    axes.set_xlim(-limit, limit)
    axes.set_xlabel('latent weight')
    axes.set_title(name, fontsize=10)
    _canvas.style(axes)
    _mark(axes, levels, limit, scales)


def _mark(axes, levels, limit, scales):
    Wp, Wn = (levels[-1], -levels[0]) if scales is None else scales
    marks = [('$-W_n = %.3g$' % -Wn, -Wn, _canvas.NEGATIVE),
             ('$W_p = %.3g$' % Wp, Wp, _canvas.POSITIVE)]
    colors = {} if scales is None else {
        level: color for _, level, color in marks}
    for level in levels:
        x = level.clip(-limit, limit)
        axes.plot(
            x, 1, 'v' if x == level else '<' if x < 0 else '>',
            color=colors.get(float(level), _color(level)), markersize=6,
            clip_on=False, transform=axes.get_xaxis_transform())
    marks.sort(key=lambda mark: mark[1])
    ends = numpy.clip([level for _, level, _ in marks], -limit, limit)
    top = axes.secondary_xaxis('top')
    top.set_ticks(ends, [text for text, _, _ in marks])
    top.tick_params(length=0, pad=6, labelsize=8)
    top.spines['top'].set_visible(False)
    # outwards where they would lie on each other, else within the picture
    near = ends[1] - ends[0] < limit
    for label, (_, _, color), side in zip(
            top.get_xticklabels(), marks,
            ('right', 'left') if near else ('left', 'right')):
        label.set_color(color)
        label.set_horizontalalignment(side)


def _color(level):
    if level == 0:
        return _canvas.COLORS[2]
    return _canvas.POSITIVE if level > 0 else _canvas.NEGATIVE
