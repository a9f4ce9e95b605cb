"""AlexNet with BatchNormalization, of the ternary and DoReFa experiments."""

import chainer
from chainer import functions as F
from chainer import initializers
from chainer import links as L

from quantized_net import functions
from quantized_net import links


def _convolution(n_in, n_out, ksize, groups=1):
    return links.Convolution2D(
        n_in, n_out, ksize, pad=ksize // 2, nobias=True, groups=groups,
        initialW=initializers.HeNormal(fan_option='fan_out'))


class AlexNet(chainer.Chain):

    """AlexNet whose layers have BatchNormalization in the place of LRN.

    The variant of tensorpack's DoReFa example, from which the authors of TTQ
    took theirs: 60.98 million parameters with 1,000 classes, two groups in
    ``conv1``, ``conv3`` and ``conv4``, no dropout, and no
    BatchNormalization after ``conv0``.  Names are theirs.

    Args:
        n_out (int): Number of classes.
        n_in (int): Channels of the images.

    .. seealso:: Zhou et al., arXiv:1606.06160; Zhu et al., arXiv:1612.01064

    """

    insize = 224

    def __init__(self, n_out=1000, n_in=3):
        super(AlexNet, self).__init__()
        he = initializers.HeNormal()
        with self.init_scope():
            self.conv0 = links.Convolution2D(
                n_in, 96, 12, stride=4, initialW=he)
            self.conv1 = _convolution(96, 256, 5, groups=2)
            self.bn1 = links.BatchNormalization(256)
            self.conv2 = _convolution(256, 384, 3)
            self.bn2 = links.BatchNormalization(384)
            self.conv3 = _convolution(384, 384, 3, groups=2)
            self.bn3 = links.BatchNormalization(384)
            self.conv4 = _convolution(384, 256, 3, groups=2)
            self.bn4 = links.BatchNormalization(256)
            self.fc0 = L.Linear(256 * 36, 4096, nobias=True, initialW=he)
            self.bnfc0 = links.BatchNormalization(4096)
            self.fc1 = L.Linear(4096, 4096, nobias=True, initialW=he)
            self.bnfc1 = links.BatchNormalization(4096)
            self.fct = L.Linear(4096, n_out)

    def forward(self, x):
        """Returns logits of shape (N, n_out) for x of (N, C, 224, 224)."""
        h = F.relu(self.conv0(x))
        # the ReLU before or after a maximum gives the same
        h = self.bn1(self.conv1(h), relu=True)
        h = functions.max_pooling_2d(h, 3, 2, cover_all=True)
        h = self.bn2(self.conv2(h), relu=True)
        h = functions.max_pooling_2d(h, 3, 2, pad=1, cover_all=False)
        h = self.bn3(self.conv3(h), relu=True)
        h = self.bn4(self.conv4(h), relu=True)
        h = functions.max_pooling_2d(h, 3, 2, cover_all=False)
        h = self.bnfc0(self.fc0(h), relu=True)
        h = self.bnfc1(self.fc1(h), relu=True)
        return self.fct(h)
