"""Learning rates, stops for want of time, and the closing table of CIFAR."""

import argparse
import types

import pytest

from quantized_net import errors
from quantized_net import extensions
from quantized_net.published import cifar_ttq
from quantized_net.training import comparison
from quantized_net.training import schedules


def test_steps():
    rate = schedules.steps(.1, [80, 120])
    found = [rate(e) for e in (0, 79.99, 80, 119.9, 120, 159)]
    assert found == pytest.approx([.1, .1, .01, .01, .001, .001])


def test_warmup():
    rate = schedules.warmed_up(schedules.steps(.1, [4]), 2, .002)
    assert [rate(e) for e in (0, 1.99, 2, 4)] == pytest.approx(
        [.002, .002, .1, .01])


def test_cosine():
    rate = schedules.cosine(.4, 20)
    assert [rate(e) for e in (0, 5, 10, 15, 20, 20.1)] == pytest.approx(
        [.4, .2 + .2 / 2 ** .5, .2, .2 - .2 / 2 ** .5, 0, 0])


def test_linear():
    rate = schedules.linear(.4, 20)
    assert [rate(e) for e in (0, 5, 20, 20.1)] == pytest.approx(
        [.4, .3, 0, 0])


class Trainer(object):

    """What the extensions ask of a trainer, at a place in its run."""

    def __init__(self, iteration, n_epochs=3):
        self.optimizer = types.SimpleNamespace(lr=None)
        self.updater = types.SimpleNamespace(
            get_optimizer=lambda name: self.optimizer)
        self.n_epochs = n_epochs
        self.go_to(iteration)

    def go_to(self, iteration):
        """Ten iterations are an epoch."""
        self.updater.iteration = iteration
        self.updater.epoch_detail = iteration / 10
        self.updater.is_new_epoch = iteration > 0 and iteration % 10 == 0

    def stop_trigger(self, trainer):
        return self.updater.iteration >= 10 * self.n_epochs


def test_learning_rate_is_the_one_of_the_next_update():
    extension = extensions.LearningRate(schedules.steps(1., [2]))
    trainer = Trainer(0)
    rates = []
    extension.initialize(trainer)
    for iteration in range(1, 31):
        rates.append(trainer.optimizer.lr)  # of this update
        trainer.go_to(iteration)
        extension(trainer)
    assert rates == pytest.approx([1.] * 20 + [.1] * 10)
    # and so it is after a resume
    resumed = Trainer(20)
    extension.initialize(resumed)
    assert resumed.optimizer.lr == pytest.approx(.1)


@pytest.fixture
def clock(monkeypatch):
    now = types.SimpleNamespace(time=100.)
    monkeypatch.setattr('time.monotonic', lambda: now.time)
    return now


@pytest.mark.parametrize('seconds,stops_at', [
    (25., 20),   # two epochs of 10 s, and no third
    (10.5, 10), (3.5, 4), (100., None),
    (29.5, 20), (30.5, None)])
def test_time_budget(clock, seconds, stops_at):
    taken = []
    extension = extensions.TimeBudget(seconds, taken.append)
    trainer = Trainer(0)
    extension.initialize(trainer)
    stopped = None
    for iteration in range(1, 31):
        clock.time += 1
        trainer.go_to(iteration)
        try:
            extension(trainer)
        except errors.Paused as e:
            stopped = iteration
            assert 'iteration %d' % iteration in str(e)
            break
    assert stopped == stops_at
    assert taken == ([] if stops_at is None else [trainer])


def arguments(**kwargs):
    return argparse.Namespace(**dict(
        dict(arch='resnet20', epoch=30, validation=False), **kwargs))


def test_log_of_the_authors():
    log = cifar_ttq.read_log()
    assert len(log) == 400 and log[-1]['epoch'] == 400
    errors_ = [100 * row['validation_error'] for row in log]
    assert errors_[-1] == pytest.approx(9.25, abs=.005)
    assert sum(errors_[-10:]) / 10 == pytest.approx(9.15, abs=.005)
    averages = [sum(errors_[i:i + 20]) / 20 for i in range(381)]
    assert min(averages) == pytest.approx(8.865, abs=.0005)
    assert (log[-1]['linear/Wp'], log[-1]['linear/Wn']) == pytest.approx(
        (2.25, 1.95), abs=.006)


def test_closing_table():
    log = [{'epoch': i + 1, 'validation/main/accuracy': .5 + i / 100}
           for i in range(30)]
    text = comparison.cifar_table(arguments(), 'ttq', 'cifar10', log)
    lines = text.splitlines()
    assert 'cifar10, resnet20, ttq, epoch 30 of 30' in lines
    assert [line.split()[-1] for line in lines[3:5]] == ['21.00', '25.50']
    # the mean of the last twenty, beside the published 8.87
    assert lines[5].split()[-2:] == ['30.50', '8.87']
    assert '400 epochs of two passes' in text
    for kwargs, dataset in (({}, 'digits'), ({'validation': True},
                                             'cifar10')):
        rows = [dict(row, **{'test/main/accuracy': .25}) for row in log]
        text = comparison.cifar_table(
            arguments(**kwargs), 'ttq', dataset, rows)
        assert '8.87' not in text and 'no published figure' in text
        assert ('epoch 30, test error 75.00' in text) == bool(kwargs)


def test_published_curve():
    (_, values, index), = comparison.cifar_curves(
        arguments(epoch=6), 'ttq', 'cifar10', 'accuracy')
    # two passes an epoch
    assert values == pytest.approx([.685] * 2 + [.7359] * 2 + [.6556] * 2)
    assert index == 1
    for args in (('float', 'cifar10', 'accuracy'),
                 ('ttq', 'cifar10', 'loss'), ('ttq', 'digits', 'accuracy')):
        assert comparison.cifar_curves(arguments(), *args) == []
