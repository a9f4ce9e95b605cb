"""The error against the share of zeros."""

from quantized_net.plots import _canvas


def draw_sparsity(points, path, reference=None,
                  reference_label='float network', title=''):
    """Draws the validation error of runs against their share of zeros.

    Args:
        points (list of tuple): ``(sparsity, error)``, both as shares from 0
            to 1, in any order.
        path (str): Of the PNG file.
        reference (float or None): An error for a dashed line across.
        reference_label (str): What that line is.
        title (str): Of the picture.

    Returns:
        matplotlib.figure.Figure: What was drawn.

    .. seealso:: Zhu et al., arXiv:1612.01064, section 6.1.

    """
    picture = _canvas.make(6.4, 4, title)
    axes = picture.add_subplot()
    points = sorted((100 * x, 100 * y) for x, y in points)
    axes.plot([x for x, _ in points], [y for _, y in points],
              color=_canvas.POSITIVE, label='ternary network', marker='o',
              markersize=5, linewidth=1.6)
    if reference is not None:
        axes.axhline(100 * reference, color=_canvas.COLORS[2],
                     label=reference_label, linestyle='--', linewidth=1.2)
        picture.legend(loc='outside lower center', ncols=2, frameon=False,
                       fontsize=9)
    axes.set_xlabel('weights that are zero (%)')
    axes.set_ylabel('validation error (%)')
    axes.margins(y=.1)
    _canvas.style(axes)
    _canvas.save(picture, path)
    return picture
