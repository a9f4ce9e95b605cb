"""The LeNet of the MNIST experiment of ternary weight networks."""

import chainer
from chainer import links as L

from quantized_net import functions
from quantized_net import links


class LeNet(chainer.Chain):

    """32C5-MP2-64C5-MP2-512FC-10, for images of 28x28.

    Each layer but the classifier is followed by BatchNormalization and ReLU:
    1,664,586 parameters.

    Args:
        n_out (int): Number of classes.

    .. seealso:: Li et al., arXiv:1605.04711, section 3

    """

    def __init__(self, n_out=10):
        super(LeNet, self).__init__()
        with self.init_scope():
            self.conv1 = links.Convolution2D(1, 32, 5, pad=2)
            self.bn1 = links.BatchNormalization(32)
            self.conv2 = links.Convolution2D(32, 64, 5, pad=2)
            self.bn2 = links.BatchNormalization(64)
            self.fc1 = L.Linear(7 * 7 * 64, 512)
            self.bn3 = links.BatchNormalization(512)
            self.fc2 = L.Linear(512, n_out)

    def forward(self, x):
        """Returns logits of shape (N, n_out) for x of shape (N, 1, 28, 28)."""
        h = self.bn1(self.conv1(x), relu=True)
        h = functions.max_pooling_2d(h, 2)
        h = self.bn2(self.conv2(h), relu=True)
        h = functions.max_pooling_2d(h, 2)
        h = self.bn3(self.fc1(h), relu=True)
        return self.fc2(h)
