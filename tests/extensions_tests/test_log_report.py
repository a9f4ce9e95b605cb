"""The log beside Chainer's, on both devices."""

import chainer
from chainer import training
from chainer.training import extensions as chainer_extensions
import numpy
import pytest

from quantized_net import datasets
from quantized_net import extensions
from quantized_net import links
from quantized_net import optimizers


def make_trainer(out, device, cls=extensions.LogReport, n=250):
    numpy.random.seed(0)
    x = numpy.random.normal(size=(n, 3)).astype('f')
    model = links.Classifier(chainer.links.Linear(3, 2))
    model.to_device(device)
    iterator, converter = datasets.iterator(
        chainer.datasets.TupleDataset(x, (x[:, 0] > 0).astype('i')), 1,
        device)
    trainer = training.Trainer(
        training.updaters.StandardUpdater(
            iterator, optimizers.MomentumSGD(.01).setup(model), converter,
            device), (2, 'epoch'), out=str(out))
    trainer.extend(extensions.NaNGuard())
    trainer.extend(cls())
    return trainer


def log_of(trainer):
    return [{k: v for k, v in row.items() if k != 'elapsed_time'}
            for row in trainer.get_extension('LogReport').log]


def test_same_log_as_chainers(device, tmp_path):
    logs = []
    for cls in (chainer_extensions.LogReport, extensions.LogReport):
        trainer = make_trainer(tmp_path, device, cls)
        trainer.run()
        logs.append(log_of(trainer))
    assert len(logs[0]) == 2
    for a, b in zip(*logs):
        assert b == pytest.approx(a, rel=1e-13)


@pytest.mark.parametrize('stop', [1, 137])
def test_resumes_in_mid_epoch(device, tmp_path, stop):
    whole = make_trainer(tmp_path, device)
    whole.run()
    first = make_trainer(tmp_path, device)
    first.extend(chainer_extensions.snapshot(), trigger=(stop, 'iteration'))
    first.stop_trigger = training.get_trigger((stop, 'iteration'))
    first.run()
    second = make_trainer(tmp_path, device)
    chainer.serializers.load_npz(
        str(tmp_path / ('snapshot_iter_%d' % stop)), second)
    second.run()
    for a, b in zip(log_of(whole), log_of(second)):
        assert b == pytest.approx(a, rel=1e-12)


def test_iterations_read_nothing_and_launch_little(standin, tmp_path):
    """What surrounds the step, in an iteration of a trainer."""
    trainer = make_trainer(tmp_path, chainer.get_device('@cupy:0'))
    counts = []

    def count(trainer):
        counts.append((record.launches.total(), record.reads.total()))
    with standin.meter.recording() as record:
        trainer.extend(count, trigger=(1, 'iteration'), priority=-1)
        trainer.stop_trigger = training.get_trigger((90, 'iteration'))
        trainer.run()
    launches = numpy.diff([c[0] for c in counts])
    assert (numpy.diff([c[1] for c in counts]) == 0).all()
    with standin.meter.recording() as record:
        trainer.updater.update()
    assert set(launches) == {record.launches.total()}
