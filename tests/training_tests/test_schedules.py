"""Learning rates, and stops for want of time."""

import argparse
import types

import pytest

from quantized_net import errors
from quantized_net import extensions
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


def test_from_options():
    args = argparse.Namespace(
        lr=.1, epoch=8, schedule='steps', drops=[4, 6], warmup=2,
        warmup_lr=.5)
    assert [schedules.from_options(args)(e) for e in (0, 2, 4, 6)] == (
        pytest.approx([.5, .1, .01, .001]))
    args.drop_factor = .5
    assert [schedules.from_options(args)(e) for e in (0, 2, 4, 6)] == (
        pytest.approx([.5, .1, .05, .025]))
    found = {}
    for name in schedules.NAMES:
        args = argparse.Namespace(
            lr=.1, epoch=8, schedule=name, drops=[4], final_lr=.001)
        found[name] = schedules.from_options(args)(4)
    assert found == pytest.approx(
        {'constant': .1, 'steps': .01, 'linear': .05, 'cosine': .05,
         'exponential': .01})


def test_exponential():
    """As the code of BinaryConnect has it: a factor after each epoch."""
    rate = schedules.exponential(.001, .000003, 250)
    expected = .001
    for epoch in range(250):
        for part in (0, .5, .9999):
            assert rate(epoch + part) == pytest.approx(expected)
        expected *= (.000003 / .001) ** (1 / 250)
    assert rate(250) == pytest.approx(.000003)


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
