"""A trainer of a small model, that runs in no time."""

import chainer
from chainer import functions as F
from chainer import links as L
from chainer import training
from chainer.training import extensions as chainer_extensions
import numpy

from quantized_net import extensions
from quantized_net.training import snapshot


class Model(chainer.Chain):

    def __init__(self):
        super(Model, self).__init__()
        with self.init_scope():
            self.l1 = L.Linear(4, 8)
            self.bn = L.BatchNormalization(8)
            self.l2 = L.Linear(8, 2)

    def forward(self, x):
        return self.l2(F.dropout(F.relu(self.bn(self.l1(x))), .2))


def dataset(n=60):
    x = numpy.random.RandomState(0).uniform(-1, 1, (n, 4)).astype('f')
    return chainer.datasets.TupleDataset(
        x, (x.sum(axis=1) > 0).astype('i'))


def make_trainer(out, epoch=3, settings=None, **options):
    numpy.random.seed(options.pop('seed', 0))
    model = L.Classifier(Model(), **options)
    optimizer = chainer.optimizers.Adam(.01).setup(model)
    updater = training.updaters.StandardUpdater(
        chainer.iterators.SerialIterator(dataset(), 10), optimizer)
    trainer = training.Trainer(updater, (epoch, 'epoch'), out=str(out))
    trainer.extend(chainer_extensions.LogReport())
    trainer.extend(extensions.RandomState())
    trainer.extend(extensions.Settings(settings or {'method': 'float'}))
    take = snapshot.extension()
    trainer.extend(take, trigger=(1, 'epoch'))
    trainer.extend(extensions.Interrupt(take))
    return trainer, model


def call_at(iteration, function):
    @training.make_extension(trigger=(1, 'iteration'), priority=1000)
    def extension(trainer):
        if trainer.updater.iteration == iteration:
            function()
    return extension
