"""The CIFAR-10 network of BinaryConnect and of binarized networks."""

import chainer
from chainer import links as L

from quantized_net import functions
from quantized_net import links


class BinaryNet(chainer.Chain):

    """Six convolutions and three linear layers, for images of 32x32.

    2x128C3 - MP2 - 2x256C3 - MP2 - 2x512C3 - MP2 - 2x1024FC - 10, each layer,
    the last one too, followed by BatchNormalization, which makes its bias
    needless; a pooling stands before it: 14,029,716 parameters.

    Args:
        n_out (int): Number of classes.
        n_in (int): Channels of the images.
        relu (bool): Whether the ReLU follows the hidden layers; not where
            the sign, taken by the next layer, is the nonlinearity.
        size (int): Height and width of the images.

    .. seealso:: Courbariaux et al., arXiv:1511.00363, section 3.2, and
        arXiv:1602.02830, section 2.2

    """

    def __init__(self, n_out=10, n_in=3, relu=True, size=32):
        super(BinaryNet, self).__init__()
        self.relu = relu
        channels = [n_in, 128, 128, 256, 256, 512, 512]
        # a pooling covers the last row and column, too
        units = [512 * ((size + 7) // 8) ** 2, 1024, 1024, n_out]
        with self.init_scope():
            for i in range(1, 7):
                setattr(self, 'conv%d' % i, links.Convolution2D(
                    channels[i - 1], channels[i], 3, pad=1, nobias=True))
                setattr(self, 'bn%d' % i,
                        links.BatchNormalization(channels[i]))
            for i in range(7, 10):
                setattr(self, 'fc%d' % i, L.Linear(
                    units[i - 7], units[i - 6], nobias=True))
                setattr(self, 'bn%d' % i,
                        links.BatchNormalization(units[i - 6]))

    def forward(self, x):
        """Returns logits of shape (N, n_out) for x of shape (N, C, H, W)."""
        for i in range(1, 7):
            x = self['conv%d' % i](x)
            if i % 2 == 0:
                x = functions.max_pooling_2d(x, 2)
            x = self['bn%d' % i](x, relu=self.relu)
        for i in range(7, 10):
            x = self['bn%d' % i](
                self['fc%d' % i](x), relu=self.relu and i < 9)
        return x
