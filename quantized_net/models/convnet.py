"""The small convolutional network of the MNIST ternary experiment."""

import chainer
from chainer import links as L

from quantized_net import functions
from quantized_net import links


class ConvNet(chainer.Chain):

    """Two convolutions and a classifier, for images of 28x28.

    conv5x5x16, BatchNormalization, ReLU, max-pool, conv5x5x32,
    BatchNormalization, ReLU, max-pool, linear: 29,034 parameters.  It is the
    network of vinsis/ternary-quantization.

    Args:
        n_out (int): Number of classes.
        n_channels (int): Of the first convolution; the second has twice as
            many.  With 4 it has 4,866 parameters.

    """

    def __init__(self, n_out=10, n_channels=16):
        super(ConvNet, self).__init__()
        n = n_channels
        with self.init_scope():
            self.conv1 = links.Convolution2D(1, n, 5, pad=2)
            self.bn1 = links.BatchNormalization(n)
            self.conv2 = links.Convolution2D(n, 2 * n, 5, pad=2)
            self.bn2 = links.BatchNormalization(2 * n)
            self.fc = L.Linear(7 * 7 * 2 * n, n_out)

    def forward(self, x):
        """Returns logits of shape (N, n_out) for x of shape (N, 1, 28, 28)."""
        h = self.bn1(self.conv1(x), relu=True)
        h = functions.max_pooling_2d(h, 2)
        h = self.bn2(self.conv2(h), relu=True)
        h = functions.max_pooling_2d(h, 2)
        return self.fc(h)
