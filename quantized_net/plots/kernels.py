"""The kernels of a convolution, tile by tile."""

import numpy

from quantized_net.plots import _canvas

_GAP = .2  # of a weight
_COLORS = ('black', '#8c8c8c', 'white')


def draw_kernels(name, values, path, title='', n=10, scales=None):
    """Draws kernels: black is negative, grey zero and white positive.

    Args:
        name (str): Of the layer.
        values (numpy.ndarray): Quantized weights, of the shape (O, I, h, w).
        path (str): Of the PNG file.
        title (str): Of the picture.
        n (int): Of so many channels, at most, on either side.
        scales (pair of floats): Wp and Wn, of which one may be negative; the
            largest value and the magnitude of the smallest, without it.

    Returns:
        matplotlib.figure.Figure: What was drawn.

    .. seealso:: Zhu et al., arXiv:1612.01064, section 6.2.

    """
    from matplotlib import colors
    from matplotlib import patches

    tiles = numpy.sign(values[:n, :n])
    n_out, n_in, height, width = tiles.shape
    size = max(.35, 5.5 / max(n_out, n_in, 8))  # of a tile, in inches
    picture = _canvas.make(
        max(size * n_out + .8, 5), size * n_in * height / width + 1.5, title)
    axes = picture.add_subplot()
    # a masked row and column before each tile are the gaps
    cells = numpy.ma.array(
        numpy.zeros((n_in, height + 1, n_out, width + 1)), mask=True)
    cells[:, 1:, :, 1:] = tiles.transpose(1, 2, 0, 3)
    axes.pcolormesh(
        _edges(n_out, width), _edges(n_in, height),
        cells.reshape(n_in * (height + 1), n_out * (width + 1)),
        cmap=colors.ListedColormap(_COLORS), vmin=-1, vmax=1)
    axes.set_facecolor('#a9c4e2')
    axes.set_aspect('equal')
    axes.set_xlim(0, n_out * (width + _GAP) + _GAP)
    axes.set_ylim(n_in * (height + _GAP) + _GAP, 0)
    axes.set_xlabel('output channel, %d of %d' % (n_out, len(values)),
                    fontsize=9)
    axes.set_ylabel('input channel, %d of %d' % (n_in, values.shape[1]),
                    fontsize=9)
    axes.set_xticks(_centers(n_out, width), range(1, n_out + 1))
    axes.set_yticks(_centers(n_in, height), range(1, n_in + 1))
    axes.tick_params(length=0, labelsize=8)
    axes.spines[:].set_visible(False)
    axes.set_title('%s, %.0f %% zeros' % (
        name, 100 * (values == 0).mean()), fontsize=10)
    picture.legend(
        [patches.Patch(facecolor=color, edgecolor=_canvas.INK, linewidth=.6)
         for color in _COLORS],
        _legend(*(scales or (values.max(), -values.min()))),
        loc='outside lower center', ncols=3, frameon=False, fontsize=9)
    _canvas.save(picture, path)
    return picture


def _legend(Wp, Wn):
    """What black, grey and white are."""
    names = ((-Wn, '$-W_n = %.3g$' % -Wn), (Wp, '$W_p = %.3g$' % Wp))
    return [', '.join(name for value, name in names if value < 0) or 'none',
            '0',
            ', '.join(name for value, name in names if value > 0) or 'none']


def _edges(n, size):
    steps = numpy.ones((n, size + 1))
    steps[:, 0] = _GAP
    return numpy.concatenate([[0], steps.ravel().cumsum()])


def _centers(n, size):
    return numpy.arange(n) * (size + _GAP) + _GAP + size / 2
