"""Published figures beside those of a run."""

from quantized_net import experiments
from quantized_net import text_table

_LABELS = (
    ('main/loss', 'training loss'),
    ('main/accuracy', 'training accuracy'),
    ('validation/main/loss', 'validation loss'),
    ('validation/main/accuracy', 'validation accuracy'),
    ('validation_batch/main/loss', 'loss on batch statistics'),
    ('validation_batch/main/accuracy', 'accuracy on batch statistics'),
    ('validation/main/accuracy_5', 'validation top-5 accuracy'),
    ('test/main/accuracy', 'test accuracy'),
)
_ACCURACY = 'validation/main/accuracy'


def published_figure(variant, key, epoch, statistic):
    """The published figure beside an entry of the log, or ``None``.

    One that was made on the statistics of each batch stands beside both of
    our evaluations.
    """
    if variant is None:
        return None
    return variant.figure(key, epoch, statistic) or variant.figure(
        key.replace('validation_batch', 'validation'), epoch, statistic)


def curves(variant, kind, n_epochs):
    """The published validation curves, for ``extensions.PlotCurves``.

    Args:
        variant (~quantized_net.experiments.Variant or None): Of the run.
        kind (str): ``'loss'`` or ``'accuracy'``.
        n_epochs (int): How much of them to draw.

    """
    if variant is None:
        return []
    key = 'validation/main/' + kind
    return [('validation, ' + curve.label, curve.values[key][:n_epochs], 1)
            for curve in variant.curves if key in curve.values]


def table(title, log, variant=None):
    """The closing table of a run.

    Args:
        title (str): Of the run.
        log (list of dict): Of LogReport, a row for each epoch.
        variant (~quantized_net.experiments.Variant or None): The variant
            whose options are those of the run.

    Returns:
        str: Last epoch and mean of the last ten of each entry, and the
        validation error in per cent, also as the least mean of 20 epochs:
        of this run, as published, and the difference.

    """
    rows = [('', '', 'this run', 'published', 'difference')]
    figures = []

    def add(label, key, statistic, form, convert=lambda value: value):
        values = [row[key] for row in log if key in row]
        value = experiments.STATISTICS[statistic](values)
        if value is None:
            return
        figure = published_figure(
            variant, key, log[-1]['epoch'], statistic)
        name = statistic
        if statistic == 'mean of 10':
            name = 'mean of %d' % min(len(values), 10)
        cells = [form % convert(value), '-', '-']
        if figure is not None:
            figures.append(figure)
            cells[1] = form % convert(figure.value)
            cells[2] = ('%+' + form[1:]) % (
                convert(value) - convert(figure.value))
        rows.append((label, name, *cells))

    for key, label in _LABELS:
        if key in log[-1]:
            add(label, key, 'last', '%.5f')
            add('', key, 'mean of 10', '%.5f')
    for i, statistic in enumerate(experiments.STATISTICS):
        add('' if i else 'validation error %', _ACCURACY, statistic, '%.2f',
            lambda value: 100 * (1 - value))
    lines = ['', '%s, epoch %d' % (title, log[-1]['epoch'])]
    lines += text_table.lay_out(rows, n_left=2)
    if 'test/main/accuracy' in log[-1]:
        best = max(log, key=lambda row: row[_ACCURACY])
        lines.append('chosen by validation: epoch %d, test accuracy %.5f' % (
            best['epoch'], best['test/main/accuracy']))
    lines += _sources(figures) if figures else [
        'no published figure for these options']
    return '\n'.join(lines)


def _sources(figures):
    """A line for each source, and how those runs differ."""
    said = dict.fromkeys(
        'published%s: %s%s' % (
            '' if figure.verified else ' (unverified)', figure.source,
            figure.note and '; ' + figure.note) for figure in figures)
    return [*said, '"validation" is the test set, as published']
