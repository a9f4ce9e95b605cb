"""The VGG-like network of the CIFAR experiments of TWN."""

import chainer
from chainer import initializers
from chainer import links as L

from quantized_net import functions
from quantized_net import links


def _convolution(n_in, n_out):
    return links.Convolution2D(
        n_in, n_out, 3, pad=1, nobias=True, initialW=initializers.HeNormal())


class VGG7(chainer.Chain):

    """Six convolutions and two linear layers, for images of 32x32.

    2x128C3 - MP2 - 2x256C3 - MP2 - 2x512C3 - MP2 - 1024FC - softmax.  Each
    layer but the classifier is followed by BatchNormalization, which makes
    its bias needless, and ReLU.

    Args:
        n_out (int): Number of classes.
        n_in (int): Channels of the images.

    .. seealso:: Li et al., arXiv:1605.04711, section 3

    """

    def __init__(self, n_out=10, n_in=3):
        super(VGG7, self).__init__()
        with self.init_scope():
            self.conv1 = _convolution(n_in, 128)
            self.bn1 = links.BatchNormalization(128)
            self.conv2 = _convolution(128, 128)
            self.bn2 = links.BatchNormalization(128)
            self.conv3 = _convolution(128, 256)
            self.bn3 = links.BatchNormalization(256)
            self.conv4 = _convolution(256, 256)
            self.bn4 = links.BatchNormalization(256)
            self.conv5 = _convolution(256, 512)
            self.bn5 = links.BatchNormalization(512)
            self.conv6 = _convolution(512, 512)
            self.bn6 = links.BatchNormalization(512)
            self.fc7 = L.Linear(4 * 4 * 512, 1024, nobias=True,
                                initialW=initializers.HeNormal())
            self.bn7 = links.BatchNormalization(1024)
            self.fc8 = L.Linear(1024, n_out)

    def forward(self, x):
        """Returns logits of shape (N, n_out) for x of shape (N, C, 32, 32)."""
        h = self.bn1(self.conv1(x), relu=True)
        h = self.bn2(self.conv2(h), relu=True)
        h = functions.max_pooling_2d(h, 2)
        h = self.bn3(self.conv3(h), relu=True)
        h = self.bn4(self.conv4(h), relu=True)
        h = functions.max_pooling_2d(h, 2)
        h = self.bn5(self.conv5(h), relu=True)
        h = self.bn6(self.conv6(h), relu=True)
        h = functions.max_pooling_2d(h, 2)
        h = self.bn7(self.fc7(h), relu=True)
        return self.fc8(h)
