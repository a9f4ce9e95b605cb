"""The pre-activation residual networks of the CIFAR experiments."""

import chainer
from chainer import functions as F
from chainer import initializers
from chainer import links as L

from quantized_net import functions
from quantized_net import links


def _convolution(n_in, n_out, stride=1):
    return links.Convolution2D(
        n_in, n_out, 3, stride, 1, nobias=True,
        initialW=initializers.HeNormal(fan_option='fan_out'))


def _normalization(n):
    return links.BatchNormalization(n, decay=0.9, eps=1e-5)


class _Block(chainer.Chain):

    """Two convolutions beside a shortcut.

    Where the block halves the image and doubles the channels, the shortcut
    is an average-pooling and zeros for the new channels, half of them on
    each side: it has no parameters.
    """

    def __init__(self, n_in, n_out, first):
        super(_Block, self).__init__()
        self.is_halving = n_in != n_out
        with self.init_scope():
            self.bn1 = None if first else _normalization(n_in)
            self.conv1 = _convolution(n_in, n_out, 1 + self.is_halving)
            self.bn2 = _normalization(n_out)
            self.conv2 = _convolution(n_out, n_out)

    def forward(self, x):
        h = x if self.bn1 is None else self.bn1(x, relu=True)
        h = self.bn2(self.conv1(h), relu=True)
        return self.conv2(h, residual=self._shortcut(x))

    def _shortcut(self, x):
        if not self.is_halving:
            return x
        # odd images too: as many places as the convolution with stride 2
        size = x.shape[2] % 2, x.shape[3] % 2
        if any(size):
            x = F.pad(x, ((0, 0), (0, 0), (0, size[0]), (0, size[1])),
                      'constant')
        x = functions.average_pooling_2d(x, 2)
        n, c, height, width = x.shape
        # strides as those of x: channels-last stays so
        zeros = self.xp.zeros(
            (n, height, width, c // 2), x.dtype).transpose(0, 3, 1, 2)
        return F.concat((zeros, x, zeros), axis=1)


class ResNetCIFAR(chainer.Chain):

    """A pre-activation ResNet of 6n + 2 layers for images of 32x32.

    A convolution to 16 channels, three stages of n blocks with 16, 32 and 64
    channels, global average pooling and a classifier.  It is the network of
    the authors' code of TTQ (czhu95/ternarynet, after tensorpack's).  Names
    are theirs but for the separator: their ``res1.0/conv1`` is
    ``res1/0/conv1``.

    The convolutions start from :math:`N(0, 2 / (9 C_{out}))`, the classifier
    from Chainer's default.

    Args:
        depth (int): 20, 32, 44, 56, or another 6n + 2.
        n_out (int): Number of classes.
        n_in (int): Channels of the images.

    .. seealso:: He et al., arXiv:1603.05027

    """

    def __init__(self, depth=20, n_out=10, n_in=3):
        super(ResNetCIFAR, self).__init__()
        if depth < 8 or depth % 6 != 2:
            raise ValueError('depth must be 6n + 2, not %r' % (depth,))
        n = depth // 6
        with self.init_scope():
            self.conv0 = _convolution(n_in, 16)
            self.bn0 = _normalization(16)
            self.res1 = self._stage(n, 16, 16)
            self.res2 = self._stage(n, 16, 32)
            self.res3 = self._stage(n, 32, 64)
            self.bn_last = _normalization(64)
            self.linear = L.Linear(64, n_out)

    @staticmethod
    def _stage(n, n_in, n_out):
        return chainer.ChainList(*[
            _Block(n_in if i == 0 else n_out, n_out,
                   first=i == 0 and n_in == n_out) for i in range(n)])

    def forward(self, x):
        """Returns logits of shape (N, n_out) for x of shape (N, C, H, W)."""
        h = self.bn0(self.conv0(x), relu=True)
        for stage in (self.res1, self.res2, self.res3):
            for block in stage:
                h = block(h)
        h = self.bn_last(h, relu=True)
        return self.linear(F.average(h, axis=(2, 3)))
