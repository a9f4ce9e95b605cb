"""What the pictures have in common: colors, axes, the file."""

from quantized_net import files

COLORS = ('#1f5fa8', '#d1495b', '#7a8b99', '#edae49')
POSITIVE, NEGATIVE = COLORS[:2]
ZERO = '#c3ccd4'
INK = '#3c4650'


def make(width, height, title=''):
    """An empty figure of so many inches."""
    from matplotlib.backends import backend_agg
    from matplotlib import figure

    # no pyplot: nothing of the caller's matplotlib is touched
    picture = figure.Figure(
        figsize=(width, height), dpi=120, layout='constrained')
    backend_agg.FigureCanvasAgg(picture)
    if title:
        picture.suptitle(title, fontsize=10)
    return picture


def style(axes):
    """Gives axes a light grid and no box."""
    axes.grid(color='#dddddd', linewidth=.6)
    axes.set_axisbelow(True)
    axes.spines[['top', 'right']].set_visible(False)


def style_epochs(axes, n_ticks='auto'):
    """As :func:`style`, with the epoch on the horizontal axis."""
    from matplotlib import ticker

    style(axes)
    axes.set_xlabel('epoch')
    axes.xaxis.set_major_locator(ticker.MaxNLocator(
        n_ticks, integer=True, min_n_ticks=1))


def series(log, *keys):
    """Epochs and values of the rows that have all the keys.

    Args:
        log (list of dict): Of LogReport.
        keys (str): Of a row.

    Returns:
        list: The epochs, and for each key the values.

    """
    rows = [row for row in log if all(key in row for key in keys)]
    return [[row[key] for row in rows] for key in ('epoch',) + keys]


def save(picture, path):
    """Writes the PNG file, whole or not at all."""
    with files.replacing(path) as temporary:
        picture.savefig(temporary, format='png')
