"""Published figures beside those of a run."""

import pytest

from quantized_net import experiments
from quantized_net.training import arguments
from quantized_net.training import comparison
import train_cifar
import train_mnist

ALL = experiments.find()
QNN = experiments.variant(ALL, 'mnist_qnn/qnn')
KEYS = ('main/loss', 'validation/main/loss', 'main/accuracy',
        'validation/main/accuracy')


def match(script, argv, dataset):
    def parse(argv):
        return script.make_parser(argv).parse()

    name = script.__name__ + '.py'
    return experiments.matching(
        ALL, name, parse, arguments.experiment,
        arguments.experiment(parse(argv), name, dataset))


def log():
    curve, = QNN.curves
    return [dict({key: curve.values[key][i] for key in KEYS}, epoch=i + 1)
            for i in range(20)]


def cells(text, label):
    lines = text.splitlines()
    i = next(i for i, line in enumerate(lines) if line.startswith(label))
    return [line[len(label):].split()[-3:] for line in lines[i:i + 2]]


def test_the_published_run_compares_with_itself():
    text = comparison.table('mnist', log(), QNN)
    last, mean = cells(text, 'validation accuracy')
    assert last == ['0.98060', '0.98060', '+0.00000']
    assert mean == ['0.98025', '0.98025', '+0.00000']
    assert 'peisuke/qnn' in text and 'is the test set' in text
    assert text.splitlines()[:2] == ['', 'mnist, epoch 20']


def test_each_evaluation_beside_the_published_one():
    rows = [dict(row, **{'validation_batch/main/accuracy': .97})
            for row in log()]
    text = comparison.table('mnist', rows, QNN)
    last, mean = cells(text, 'accuracy on batch statistics')
    assert last == ['0.97000', '0.98060', '-0.01060']
    assert mean == ['0.97000', '0.98025', '-0.01025']


def test_no_variant_no_figure():
    text = comparison.table('digits', log())
    assert 'no published figure' in text and 'peisuke' not in text
    assert comparison.curves(None, 'loss', 3) == []


def test_unverified_figures_and_notes_are_told():
    class Variant(object):
        def figure(self, key, epoch, statistic):
            return experiments.Figure(
                key, 'a paper', .5, verified=False, note='twice as long')

    text = comparison.table('mnist', log(), Variant())
    assert 'published (unverified): a paper; twice as long' in text


def test_chosen_by_validation():
    rows = log()
    for row in rows:
        row['test/main/accuracy'] = row['validation/main/accuracy'] - .01
    text = comparison.table('mnist', rows)
    assert 'epoch 18, test accuracy 0.97130' in text


@pytest.mark.parametrize('argv', [[], ['--seed', '4'], ['--epoch', '5'],
                                  ['--bn-eval', 'both', '--gpu', '0']])
def test_runs_that_are_the_published_experiment(argv):
    assert match(train_mnist, argv, 'mnist').key == 'mnist_qnn/qnn'


@pytest.mark.parametrize('argv', [
    ['--unit', '10'], ['--batchsize', '50'], ['--lr', '.01'],
    ['--clip', 'none'], ['--validation'], ['--schedule', 'linear']])
def test_other_options_are_not_compared(argv):
    assert match(train_mnist, argv, 'mnist') is None


def test_other_data_is_not_compared():
    assert match(train_mnist, [], 'digits') is None


def test_rows_of_cifar10():
    found = match(train_cifar, ['--arch', 'resnet32'], 'cifar10')
    assert found.key == 'cifar10/resnet32-ttq'
    rows = [{'epoch': i + 1, 'main/loss': 1., 'main/accuracy': .5,
             'validation/main/loss': 1.,
             'validation/main/accuracy': .5 + i / 100} for i in range(30)]
    text = comparison.table('cifar10', rows, found)
    lines = [line.split() for line in text.splitlines()]
    i = next(i for i, words in enumerate(lines) if words[-4:-3] == ['last']
             and words[:2] == ['validation', 'error'])
    assert lines[i][-3:] == ['21.00', '-', '-']
    assert lines[i + 1][-3:] == ['25.50', '-', '-']
    # the mean of the last twenty, beside the published one
    assert lines[i + 2][-3:] == ['30.50', '7.63', '+22.87']
    assert '400 epochs of two passes' in text
    assert match(train_cifar, ['--momentum', '.5'], 'cifar10') is None


def test_curve_of_the_authors_log():
    variant = experiments.variant(ALL, 'cifar10/resnet20-ttq')
    (label, values, index), = comparison.curves(variant, 'accuracy', 6)
    # two passes an epoch
    assert values == pytest.approx([.685] * 2 + [.7359] * 2 + [.6556] * 2)
    assert 'other schedule' in label and index == 1
    assert comparison.curves(variant, 'loss', 6) == []
    # it is another schedule's: nothing is compared with it
    assert variant.figure('validation/main/accuracy', 6) is None


def test_log_of_the_authors():
    rows = experiments.read_csv(
        experiments.RESULTS / 'cifar10' / 'ttq_resnet20_log.csv')
    assert len(rows) == 400 and float(rows[-1]['epoch']) == 400
    accuracies = [1 - float(row['validation_error']) for row in rows]
    for statistic, error in (('last', 9.25), ('mean of 10', 9.15),
                             ('least mean of 20', 8.865)):
        value = experiments.STATISTICS[statistic](accuracies)
        assert 100 * (1 - value) == pytest.approx(error, abs=.005)
    assert [float(rows[-1][key]) for key in ('linear/Wp', 'linear/Wn')] == (
        pytest.approx([2.25, 1.95], abs=.006))
