"""The multi-layer perceptron of the MNIST table."""

import chainer
from chainer import links as L

from quantized_net import links


class MLP(chainer.Chain):

    """Three linear layers, each followed by BatchNormalization.

    Args:
        n_units (int): Width of the two hidden layers.
        n_out (int): Number of classes.
        n_in (int): Size of the input.
        relu (bool): Whether the ReLU follows the hidden layers; not where
            the sign, taken by the next layer, is the nonlinearity.

    """

    def __init__(self, n_units=1000, n_out=10, n_in=784, relu=True):
        super(MLP, self).__init__()
        self.relu = relu
        with self.init_scope():
            self.l1 = L.Linear(n_in, n_units)
            self.bn1 = links.BatchNormalization(n_units)
            self.l2 = L.Linear(n_units, n_units)
            self.bn2 = links.BatchNormalization(n_units)
            self.l3 = L.Linear(n_units, n_out)
            self.bn3 = links.BatchNormalization(n_out)

    def forward(self, x):
        """Returns logits of shape (N, n_out) for x of shape (N, n_in)."""
        h = self.bn1(self.l1(x), relu=self.relu)
        h = self.bn2(self.l2(h), relu=self.relu)
        return self.bn3(self.l3(h))
