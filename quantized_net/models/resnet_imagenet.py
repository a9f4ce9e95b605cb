"""The residual networks of the ImageNet experiments."""

import chainer
from chainer import functions as F
from chainer import initializers
from chainer import links as L

from quantized_net import functions
from quantized_net import links

# Blocks of each stage.
_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}


def _convolution(n_in, n_out, ksize, stride=1):
    return links.Convolution2D(
        n_in, n_out, ksize, stride, ksize // 2, nobias=True,
        initialW=initializers.HeNormal(fan_option='fan_out'))


def _normalization(n):
    return links.BatchNormalization(n, decay=0.9, eps=1e-5)


class _Block(chainer.Chain):

    """Two convolutions of 3x3 beside a shortcut."""

    def __init__(self, n_in, n_mid, stride, bottleneck):
        super(_Block, self).__init__()
        n_out = n_mid * 4 if bottleneck else n_mid
        self.bottleneck = bottleneck
        self.projects = stride > 1 or n_in != n_out
        with self.init_scope():
            if bottleneck:
                self.conv1 = _convolution(n_in, n_mid, 1)
                self.bn1 = _normalization(n_mid)
                self.conv2 = _convolution(n_mid, n_mid, 3, stride)
                self.bn2 = _normalization(n_mid)
                self.conv3 = _convolution(n_mid, n_out, 1)
                self.bn3 = _normalization(n_out)
            else:
                self.conv1 = _convolution(n_in, n_mid, 3, stride)
                self.bn1 = _normalization(n_mid)
                self.conv2 = _convolution(n_mid, n_out, 3)
                self.bn2 = _normalization(n_out)
            if self.projects:
                self.conv_shortcut = _convolution(n_in, n_out, 1, stride)
                self.bn_shortcut = _normalization(n_out)

    def forward(self, x):
        h = self.bn1(self.conv1(x), relu=True)
        if self.projects:
            x = self.bn_shortcut(self.conv_shortcut(x))
        if not self.bottleneck:
            return self.bn2(self.conv2(h), residual=x, relu=True)
        h = self.bn2(self.conv2(h), relu=True)
        return self.bn3(self.conv3(h), residual=x, relu=True)


class ResNet(chainer.Chain):

    """ResNet-18, 34 or 50 for images of 224x224.

    A convolution of 7x7, max-pooling, four stages of blocks, global average
    pooling and a classifier; shortcuts that change the shape are convolutions
    of 1x1 with BatchNormalization (option B).  The stride of a bottleneck is
    in its convolution of 3x3, as in the networks that most results are of
    (Torch's; the paper has it in the first of 1x1).  With 1,000 classes
    11,689,512, 21,797,672 and 25,557,032 parameters.

    Args:
        depth (int): 18, 34 or 50.
        n_out (int): Number of classes.
        n_in (int): Channels of the images.
        width (float): Factor of the channels of the whole network: 1.5 is
            the ResNet-18B of arXiv:1605.04711.

    .. seealso:: He et al., arXiv:1512.03385

    """

    insize = 224

    def __init__(self, depth=18, n_out=1000, n_in=3, width=1):
        super(ResNet, self).__init__()
        if depth not in _BLOCKS:
            raise ValueError('depth must be 18, 34 or 50, not %r' % (depth,))
        widths = [int(width * n) for n in (64, 128, 256, 512)]
        bottleneck = depth >= 50
        with self.init_scope():
            self.conv0 = _convolution(n_in, widths[0], 7, 2)
            self.bn0 = _normalization(widths[0])
            n = widths[0]
            for i, (n_mid, n_blocks) in enumerate(
                    zip(widths, _BLOCKS[depth])):
                blocks = []
                for j in range(n_blocks):
                    blocks.append(_Block(
                        n, n_mid, 2 if i and not j else 1, bottleneck))
                    n = n_mid * 4 if bottleneck else n_mid
                setattr(self, 'res%d' % (i + 1), chainer.ChainList(*blocks))
            self.fc = L.Linear(n, n_out)

    def forward(self, x):
        """Returns logits of shape (N, n_out) for x of shape (N, C, H, W)."""
        h = self.bn0(self.conv0(x), relu=True)
        h = functions.max_pooling_2d(h, 3, 2, pad=1, cover_all=False)
        for stage in (self.res1, self.res2, self.res3, self.res4):
            for block in stage:
                h = block(h)
        return self.fc(F.average(h, axis=(2, 3)))
