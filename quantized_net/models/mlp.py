"""The multi-layer perceptron of the MNIST table."""

import chainer
from chainer import links as L

from quantized_net import links


class MLP(chainer.Chain):

    """Linear layers, each followed by BatchNormalization.

    ``l1`` is the first and ``l<n_hidden + 1>`` the last of them.

    Args:
        n_units (int): Width of the hidden layers.
        n_out (int): Number of classes.
        n_in (int): Size of the input.
        relu (bool): Whether the ReLU follows the hidden layers; not where
            the sign, taken by the next layer, is the nonlinearity.
        n_hidden (int): Number of hidden layers.

    """

    def __init__(self, n_units=1000, n_out=10, n_in=784, relu=True,
                 n_hidden=2):
        super(MLP, self).__init__()
        self.relu = relu
        self.n_hidden = n_hidden
        sizes = [n_in] + [n_units] * n_hidden + [n_out]
        with self.init_scope():
            for i in range(1, n_hidden + 2):
                setattr(self, 'l%d' % i, L.Linear(sizes[i - 1], sizes[i]))
                setattr(self, 'bn%d' % i,
                        links.BatchNormalization(sizes[i]))

    def forward(self, x):
        """Returns logits of shape (N, n_out) for x of shape (N, n_in)."""
        for i in range(1, self.n_hidden + 2):
            is_hidden = i <= self.n_hidden
            x = self['bn%d' % i](
                self['l%d' % i](x), relu=self.relu and is_hidden)
        return x
