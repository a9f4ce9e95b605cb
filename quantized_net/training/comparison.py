"""Published figures beside those of a run."""

from quantized_net.published import cifar_ttq
from quantized_net.published import mnist_qnn

_LABELS = (
    ('main/loss', 'training loss'),
    ('main/accuracy', 'training accuracy'),
    ('validation/main/loss', 'validation loss'),
    ('validation/main/accuracy', 'validation accuracy'),
    ('validation_batch/main/loss', '  on batch statistics, loss'),
    ('validation_batch/main/accuracy', '  on batch statistics, accuracy'),
    ('test/main/accuracy', 'test accuracy'),
)


def is_published_experiment(args, dataset):
    """Whether a run of train_mnist.py is the one that was published."""
    return (dataset == 'mnist' and not args.validation
            and args.model == 'mlp'
            and args.unit == 1000 and args.batchsize == 100
            and args.epoch <= 20)


def curves(args, method, dataset, kind):
    """The published validation curve, for ``extensions.PlotCurves``."""
    if method != 'qnn' or not is_published_experiment(args, dataset):
        return []
    column = mnist_qnn.KEYS.index('validation/main/' + kind)
    return [('validation, published (on batch statistics)',
             [row[column] for row in mnist_qnn.QNN_TABLE], 1)]


def table(args, method, dataset, log):
    """The closing table of a run.

    Args:
        args: Options of the script.
        method (str): ``'qnn'``, ``'bnn'`` or another.
        dataset (str): Name of the data set that was taken.
        log (list of dict): Of LogReport, a row for each epoch.

    Returns:
        str: Last epoch and mean of the last ten, of this run, as published,
        and their difference.

    """
    last = log[-1]
    tail = log[-10:]
    comparable = is_published_experiment(args, dataset)
    lines = ['', '%s, %s, epoch %d' % (dataset, method, last['epoch']),
             '%-32s %10s %10s %10s %10s %10s %10s' % (
                 '', 'last', 'published', 'diff.',
                 'mean of %d' % len(tail), 'published', 'diff.')]
    sources = set()
    for key, label in _LABELS:
        if key not in last:
            continue
        cells = []
        mean = sum(row[key] for row in tail) / len(tail)
        published_key = key.replace('validation_batch', 'validation')
        for value, find in ((last[key], mnist_qnn.find),
                            (mean, mnist_qnn.mean_of_last)):
            figure = comparable and find(
                method, last['epoch'], published_key)
            cells.append('%10.5f' % value)
            if figure:
                cells += ['%10.5f' % figure.value,
                          '%+10.5f' % (value - figure.value)]
                sources.add(figure.source)
            else:
                cells += ['%10s' % '-'] * 2
        lines.append('%-32s %s' % (label, ' '.join(cells)))
    if args.validation:
        best = max(log, key=lambda row: row['validation/main/accuracy'])
        lines.append('chosen by validation: epoch %d, test accuracy %.5f' % (
            best['epoch'], best['test/main/accuracy']))
    if sources:
        lines += ['published: ' + source for source in sorted(sources)]
        lines.append('"validation" is the test set, as published')
    elif dataset != 'mnist':
        lines.append('data set: the bundled %s; published MNIST figures do '
                     'not compare' % dataset)
    else:
        lines.append('no published figure for these options')
    return '\n'.join(lines)


def cifar_curves(args, method, dataset, kind):
    """The authors' curve of TTQ ResNet-20, for ``extensions.PlotCurves``.

    An epoch of theirs is two passes over the data: each of their values
    stands at two epochs of ours.
    """
    if (kind, method, dataset, args.arch) != (
            'accuracy', 'ttq', 'cifar10', 'resnet20') or args.validation:
        return []
    values = [1 - row['validation_error'] for row in cifar_ttq.read_log()
              for _ in range(cifar_ttq.PASSES_PER_EPOCH)]
    return [("validation, authors' log (other schedule)",
             values[:args.epoch], 1)]


def cifar_table(args, method, dataset, log):
    """The closing table of a run of train_cifar.py, errors in percent.

    The paper reports, by the authors' log, the least value of a moving
    average over 20 epochs; it stands beside the same of this run.

    Returns:
        str: Last epoch, mean of the last ten, least moving average.

    """
    errors = [100 * (1 - row['validation/main/accuracy']) for row in log]
    tail = errors[-10:]
    published = cifar_ttq.ERRORS.get((method, args.arch))
    if dataset != 'cifar10' or args.validation:
        published = None
    lines = [
        '', '%s, %s, %s, epoch %d of %d' % (
            dataset, args.arch, method, log[-1]['epoch'], args.epoch),
        'error in %                        this run  published',
        'last epoch                      %10.2f' % errors[-1],
        'mean of the last %-2d             %10.2f' % (
            len(tail), sum(tail) / len(tail))]
    if len(errors) >= 20:
        averages = [sum(errors[i:i + 20]) / 20
                    for i in range(len(errors) - 19)]
        line = 'least mean of 20 epochs         %10.2f' % min(averages)
        if published:
            line += ' %10.2f' % published.value
        lines.append(line)
    if args.validation:
        best = max(log, key=lambda row: row['validation/main/accuracy'])
        lines.append(
            'chosen by validation: epoch %d, test error %.2f' % (
                best['epoch'], 100 * (1 - best['test/main/accuracy'])))
    if published:
        lines += [
            'published: %.2f, %s; 400 epochs of two passes each, batch 256'
            % published[:2], '"validation" is the test set, as published']
    else:
        lines.append('no published figure for these options')
    return '\n'.join(lines)
