"""VGG-16, of the ImageNet experiments."""

import chainer
from chainer import functions as F
from chainer import initializers
from chainer import links as L

from quantized_net import functions
from quantized_net import links

_STAGES = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)


class VGG16(chainer.Chain):

    """Thirteen convolutions of 3x3 and three linear layers.

    Configuration D: ReLU after each layer but the last, max-pooling after
    each stage, dropout before the second and third linear layer;
    138,357,544 parameters with 1,000 classes.  Names are ``conv1_1`` to
    ``conv5_3``, ``fc6``, ``fc7`` and ``fc8``.

    Args:
        n_out (int): Number of classes.
        n_in (int): Channels of the images.

    .. seealso:: Simonyan and Zisserman, arXiv:1409.1556, table 1

    """

    insize = 224

    def __init__(self, n_out=1000, n_in=3):
        super(VGG16, self).__init__()
        he = initializers.HeNormal()
        with self.init_scope():
            n = n_in
            for i, widths in enumerate(_STAGES):
                for j, width in enumerate(widths):
                    setattr(self, 'conv%d_%d' % (i + 1, j + 1),
                            links.Convolution2D(
                                n, width, 3, pad=1, initialW=he))
                    n = width
            self.fc6 = L.Linear(512 * 49, 4096, initialW=he)
            self.fc7 = L.Linear(4096, 4096, initialW=he)
            self.fc8 = L.Linear(4096, n_out)

    def forward(self, x):
        """Returns logits of shape (N, n_out) for x of (N, C, 224, 224)."""
        h = x
        for i, widths in enumerate(_STAGES):
            for j in range(len(widths)):
                h = F.relu(self['conv%d_%d' % (i + 1, j + 1)](h))
            h = functions.max_pooling_2d(h, 2)
        h = F.dropout(F.relu(self.fc6(h)))
        h = F.dropout(F.relu(self.fc7(h)))
        return self.fc8(h)
