"""Models of Chainer's own examples: converted, trained, summarised."""

import chainer
from chainer import functions as F
from chainer import links as L
import numpy
import pytest

import quantized_net


class MLP(chainer.Chain):

    """examples/mnist/train_mnist.py of Chainer 7."""

    def __init__(self, n_units, n_out):
        super(MLP, self).__init__()
        with self.init_scope():
            self.l1 = L.Linear(None, n_units)
            self.l2 = L.Linear(None, n_units)
            self.l3 = L.Linear(None, n_out)

    def forward(self, x):
        h1 = F.relu(self.l1(x))
        h2 = F.relu(self.l2(h1))
        return self.l3(h2)


class Block(chainer.Chain):

    """examples/cifar/models/VGG.py of Chainer 7."""

    def __init__(self, out_channels, ksize, pad=1):
        super(Block, self).__init__()
        with self.init_scope():
            self.conv = L.Convolution2D(
                None, out_channels, ksize, pad=pad, nobias=True)
            self.bn = L.BatchNormalization(out_channels)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


class VGG(chainer.Chain):

    """As there, its thirteen convolutions with fewer channels."""

    def __init__(self, class_labels=10, width=4):
        super(VGG, self).__init__()
        self.stages = ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3))
        with self.init_scope():
            for i, (factor, n) in enumerate(self.stages, 1):
                for j in range(1, n + 1):
                    setattr(self, 'block%d_%d' % (i, j),
                            Block(factor * width, 3))
            self.fc1 = L.Linear(None, 8 * width, nobias=True)
            self.bn_fc1 = L.BatchNormalization(8 * width)
            self.fc2 = L.Linear(None, class_labels, nobias=True)

    def forward(self, x):
        h = x
        for i, (_, n) in enumerate(self.stages, 1):
            for j in range(1, n + 1):
                h = getattr(self, 'block%d_%d' % (i, j))(h)
            h = F.max_pooling_2d(h, ksize=2, stride=2)
        h = F.relu(self.bn_fc1(self.fc1(F.dropout(h, ratio=0.5))))
        return self.fc2(F.dropout(h, ratio=0.5))


@pytest.mark.parametrize('method', ['ttq', 'twn'])
@pytest.mark.parametrize('make,shape,skip,n_layers', [
    (lambda: MLP(20, 3), (12, 30), (), 3),
    (lambda: VGG(3), (12, 3, 32, 32), ('block1_1', 'fc2'), 13)])
def test_convert_train_summarise(
        device, method, make, shape, skip, n_layers):
    x = numpy.random.uniform(-1, 1, shape).astype('f')
    t = (numpy.arange(len(x)) % 3).astype('i')
    x += t.reshape((-1,) + (1,) * (x.ndim - 1)) - 1  # classes differ
    x, t = device.send(x), device.send(t)
    model = L.Classifier(make())
    model.to_device(device)
    with chainer.using_config('train', False):
        model(x, t)  # tells the sizes
    report = quantized_net.quantize(model.predictor, method, skip)
    quantized = [layer for layer in report if layer.action != 'skipped']
    assert len(quantized) == n_layers
    optimizer = chainer.optimizers.Adam(.01).setup(model)
    losses = []
    for _ in range(15):
        model.cleargrads()
        loss = model(x, t)
        loss.backward()
        optimizer.update()
        losses.append(float(loss.array))
    assert numpy.isfinite(losses).all()
    assert min(losses[-3:]) < losses[0]
    found = quantized_net.summary(model)
    rows = [row for row in found if row.bits == 2]
    assert len(rows) == n_layers and all(row.n_values <= 3 for row in rows)
    assert found.packed_bytes < found.float_bytes / 3
