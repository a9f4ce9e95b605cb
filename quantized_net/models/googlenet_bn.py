"""GoogLeNet with BatchNormalization, of the ImageNet experiments."""

import chainer
from chainer import functions as F
from chainer import initializers
from chainer import links as L

from quantized_net import functions
from quantized_net import links

# Of each module: 1x1; 3x3 after a reduction; 5x5 after one; after pooling.
_MODULES = (
    ('inc3a', 192, 64, (96, 128), (16, 32), 32),
    ('inc3b', 256, 128, (128, 192), (32, 96), 64),
    ('inc4a', 480, 192, (96, 208), (16, 48), 64),
    ('inc4b', 512, 160, (112, 224), (24, 64), 64),
    ('inc4c', 512, 128, (128, 256), (24, 64), 64),
    ('inc4d', 512, 112, (144, 288), (32, 64), 64),
    ('inc4e', 528, 256, (160, 320), (32, 128), 128),
    ('inc5a', 832, 256, (160, 320), (32, 128), 128),
    ('inc5b', 832, 384, (192, 384), (48, 128), 128),
)


class _Layer(chainer.Chain):

    """A convolution, BatchNormalization and the ReLU."""

    def __init__(self, n_in, n_out, ksize, stride=1):
        super(_Layer, self).__init__()
        with self.init_scope():
            self.conv = links.Convolution2D(
                n_in, n_out, ksize, stride, ksize // 2, nobias=True,
                initialW=initializers.HeNormal())
            self.bn = links.BatchNormalization(n_out)

    def forward(self, x):
        return self.bn(self.conv(x), relu=True)


class _Inception(chainer.Chain):

    """Convolutions of three sizes, and pooling, beside each other."""

    def __init__(self, n_in, n1, n3, n5, n_pool):
        super(_Inception, self).__init__()
        with self.init_scope():
            self.one = _Layer(n_in, n1, 1)
            self.three_reduce = _Layer(n_in, n3[0], 1)
            self.three = _Layer(n3[0], n3[1], 3)
            self.five_reduce = _Layer(n_in, n5[0], 1)
            self.five = _Layer(n5[0], n5[1], 5)
            self.project = _Layer(n_in, n_pool, 1)

    def forward(self, x):
        pooled = functions.max_pooling_2d(x, 3, 1, pad=1, cover_all=False)
        return F.concat((
            self.one(x), self.three(self.three_reduce(x)),
            self.five(self.five_reduce(x)), self.project(pooled)), axis=1)


class GoogLeNetBN(chainer.Chain):

    """GoogLeNet, each convolution followed by BatchNormalization.

    The network of the paper's table 1 without its two side classifiers;
    BatchNormalization makes LRN and the convolutions' biases needless.

    Args:
        n_out (int): Number of classes.
        n_in (int): Channels of the images.

    .. seealso:: Szegedy et al., arXiv:1409.4842; Ioffe and Szegedy,
        arXiv:1502.03167

    """

    insize = 224

    def __init__(self, n_out=1000, n_in=3):
        super(GoogLeNetBN, self).__init__()
        with self.init_scope():
            self.conv1 = _Layer(n_in, 64, 7, 2)
            self.conv2_reduce = _Layer(64, 64, 1)
            self.conv2 = _Layer(64, 192, 3)
            for name, *widths in _MODULES:
                setattr(self, name, _Inception(*widths))
            self.fc = L.Linear(1024, n_out)

    def forward(self, x):
        """Returns logits of shape (N, n_out) for x of shape (N, C, H, W)."""
        h = functions.max_pooling_2d(self.conv1(x), 3, 2)
        h = self.conv2(self.conv2_reduce(h))
        h = functions.max_pooling_2d(h, 3, 2)
        for name, *_ in _MODULES:
            h = self[name](h)
            if name in ('inc3b', 'inc4e'):
                h = functions.max_pooling_2d(h, 3, 2)
        return self.fc(F.dropout(F.average(h, axis=(2, 3)), .4))
