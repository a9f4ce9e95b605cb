"""Trains a small network in float64, in a plain process or on ranks.

equivalence.py METHOD NETWORK STEPS OUT [ranks] [sync] [adam]
"""

import sys
import traceback

import quantized_net  # before chainer
import chainer
from chainer import functions as F
from chainer import links as L
import numpy

from quantized_net import datasets
from quantized_net import links
from quantized_net import optimizers
from quantized_net import quantizers
from quantized_net.training import distributed
from quantized_net.training import parallel


class Plain(chainer.Chain):

    """Without BatchNormalization."""

    def __init__(self):
        super(Plain, self).__init__()
        with self.init_scope():
            self.conv1 = links.Convolution2D(3, 6, 3, pad=1)
            self.conv2 = links.Convolution2D(6, 8, 3, pad=1)
            self.fc = L.Linear(8 * 16, 10)

    def forward(self, x):
        h = F.max_pooling_2d(F.relu(self.conv1(x)), 2)
        h = F.relu(self.conv2(h))
        return self.fc(F.max_pooling_2d(h, 2)[:, :, :4, :4])


class Normalized(chainer.Chain):

    """With it, with a residual and the ReLU."""

    def __init__(self):
        super(Normalized, self).__init__()
        with self.init_scope():
            self.conv1 = links.Convolution2D(3, 6, 3, pad=1, nobias=True)
            self.bn1 = links.BatchNormalization(6)
            self.conv2 = links.Convolution2D(6, 6, 3, pad=1, nobias=True)
            self.bn2 = links.BatchNormalization(6)
            self.fc = L.Linear(6 * 16, 10, nobias=True)
            self.bn3 = links.BatchNormalization(10)

    def forward(self, x):
        h = F.max_pooling_2d(self.bn1(self.conv1(x), relu=True), 2)
        h = self.bn2(self.conv2(h), residual=h, relu=True)
        return self.bn3(self.fc(F.max_pooling_2d(h, 2)[:, :, :4, :4]))


def images(n=96):
    rng = numpy.random.RandomState(1)
    x = rng.randint(0, 256, (n, 3, 16, 16)).astype(numpy.uint8)
    return x, rng.randint(0, 10, n).astype(numpy.int32)


@chainer.dataset.converter()
def to_float64(batch, device):
    x, t = batch
    return x.astype(numpy.float64), t


def make(method, network):
    numpy.random.seed(0)
    model = L.Classifier({'plain': Plain, 'bn': Normalized}[network]())
    if method != 'float':
        rule = method
        if method == 'lsq':  # of the weights and of what comes in

            def rule(path, link):
                return quantized_net.convert.Quantizers(
                    quantizers.LSQ(3), quantizers.LSQActivation(3))

        quantized_net.quantize(model.predictor, rule, skip=('conv1',))
    for param in model.params():
        param.array = param.array.astype(numpy.float64)
    for link in model.links():
        for name in link._persistent:
            value = link.__dict__[name]
            if getattr(value, 'dtype', None) == numpy.float32:
                link.__dict__[name] = value.astype(numpy.float64)
    return model


def main(method, network, steps, out, *options):
    ranks = distributed.start('naive' if 'ranks' in options else None)
    chainer.global_config.dtype = numpy.dtype('float64')
    model = make(method, network)
    if ranks.rank:  # which rank 0 is to put right
        for param in model.params():
            param.array += .5
    if 'sync' in options and ranks.communicator is not None:
        ranks.synchronize(model)
    iterator = datasets.BatchIterator(
        *images(), 24, pad=2, flip=True, rank=ranks.rank, ranks=ranks.size)
    optimizer = optimizers.Adam(1e-3) if 'adam' in options else (
        optimizers.MomentumSGD(.05, weight_decay=1e-3))
    updater = parallel.updater(
        ranks, 0, iterator, optimizer.setup(model),
        chainer.get_device('@numpy'), converter=to_float64)
    trainer = chainer.training.Trainer(updater, (int(steps), 'iteration'))
    parallel.start(ranks, trainer)
    for _ in range(int(steps)):
        updater.update()
    ranks.average(model)
    arrays = {name: param.array for name, param in model.namedparams()}
    arrays.update(
        ('%s/%s' % (path, name), numpy.asarray(link.__dict__[name]))
        for path, link in model.namedlinks() for name in link._persistent)
    # each rank has all of it, bit for bit
    for name, array in sorted(arrays.items()):
        if ranks.communicator is not None:
            for other in ranks.mpi.allgather(array.tobytes()):
                assert other == array.tobytes(), name
    if ranks.rank == 0:
        numpy.savez(out, **{n.replace('/', '|'): a
                            for n, a in arrays.items()})


if __name__ == '__main__':
    try:
        main(*sys.argv[1:])
    except Exception:
        traceback.print_exc()
        distributed.end(1)
        sys.exit(1)
