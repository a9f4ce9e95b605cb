"""The networks of deep learning with limited numerical precision."""

import chainer
from chainer import functions as F
from chainer import initializers
from chainer import links as L

from quantized_net import functions
from quantized_net import links


class GuptaDNN(chainer.Chain):

    """784-1000-1000-10 with ReLU and no normalization, for MNIST.

    1,796,010 parameters; weights start from a normal distribution of the
    standard deviation 0.01, biases from zero.

    Args:
        n_out (int): Number of classes.
        n_in (int): Size of the input.

    .. seealso:: Gupta et al., arXiv:1502.02551, section 4.1

    """

    def __init__(self, n_out=10, n_in=784):
        super(GuptaDNN, self).__init__()
        normal = initializers.Normal(.01)
        with self.init_scope():
            self.l1 = L.Linear(n_in, 1000, initialW=normal)
            self.l2 = L.Linear(1000, 1000, initialW=normal)
            self.l3 = L.Linear(1000, n_out, initialW=normal)

    def forward(self, x):
        """Returns logits of shape (N, n_out) for x of shape (N, n_in)."""
        h = F.relu(self.l1(x))
        h = F.relu(self.l2(h))
        return self.l3(h)


class GuptaCNN(chainer.Chain):

    """8C5-MP2-16C5-MP2-128FC-10 with ReLU, for images of 28x28.

    Without padding: 37,610 parameters.  The paper's initial weights are not
    known here; they are Chainer's.

    Args:
        n_out (int): Number of classes.

    .. seealso:: Gupta et al., arXiv:1502.02551, section 4.1

    """

    def __init__(self, n_out=10):
        super(GuptaCNN, self).__init__()
        with self.init_scope():
            self.conv1 = links.Convolution2D(1, 8, 5)
            self.conv2 = links.Convolution2D(8, 16, 5)
            self.fc3 = L.Linear(4 * 4 * 16, 128)
            self.fc4 = L.Linear(128, n_out)

    def forward(self, x):
        """Returns logits of shape (N, n_out) for x of shape (N, 1, 28, 28)."""
        h = functions.max_pooling_2d(F.relu(self.conv1(x)), 2)
        h = functions.max_pooling_2d(F.relu(self.conv2(h)), 2)
        return self.fc4(F.relu(self.fc3(h)))


class GuptaCifarCNN(chainer.Chain):

    """Three times 64C5-MP3/2 with ReLU, then the classifier, for 32x32.

    Padded by two: 220,042 parameters.  The paper's initial weights are not
    known here; they are Chainer's.

    Args:
        n_out (int): Number of classes.
        n_in (int): Channels of the images.
        size (int): Their height and width.

    .. seealso:: Gupta et al., arXiv:1502.02551, section 4.2

    """

    def __init__(self, n_out=10, n_in=3, size=32):
        super(GuptaCifarCNN, self).__init__()
        for _ in range(3):
            size = -(-(size - 3) // 2) + 1
        with self.init_scope():
            self.conv1 = links.Convolution2D(n_in, 64, 5, pad=2)
            self.conv2 = links.Convolution2D(64, 64, 5, pad=2)
            self.conv3 = links.Convolution2D(64, 64, 5, pad=2)
            self.fc4 = L.Linear(size ** 2 * 64, n_out)

    def forward(self, x):
        """Returns logits of shape (N, n_out) for x of shape (N, C, H, W)."""
        h = x
        for conv in (self.conv1, self.conv2, self.conv3):
            h = functions.max_pooling_2d(F.relu(conv(h)), 3, 2)
        return self.fc4(h)
