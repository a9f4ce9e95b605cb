"""Teacher and students of distillation and quantization on CIFAR-10."""

import collections

import chainer
from chainer import functions as F
from chainer import links as L

from quantized_net import functions
from quantized_net import links

_Shape = collections.namedtuple('_Shape', 'groups ksize linear')

# Channels of the convolutions, of one size in each group, with a max-pooling
# after a group but where its last entry is 0; then the linear layers.
_SHAPES = {
    'teacher': _Shape(((76,) * 2, (126,) * 2, (148,) * 4), 3, (1200, 1200)),
    'student1': _Shape(((75,), (50, 50), (25, 0)), 5, (500,)),
    'student2': _Shape(((50,), (25, 25), (10, 0)), 5, (400,)),
    'student3': _Shape(((25,), (10, 10), (5, 0)), 5, (300,)),
    'deeper': _Shape(
        ((76,) * 3, (126,) * 3, (148,) * 5), 3, (1000, 1000, 1000)),
}


class PolinoCIFAR(chainer.Chain):

    """A network of the CIFAR-10 tables of quantized distillation.

    ============ ========================================== ============
    name         layers                                     parameters
    ============ ========================================== ============
    ``teacher``  2x76C3-MP-2x126C3-MP-4x148C3-MP-1200-1200  5,341,342
    ``student1`` 75C5-MP-50C5-50C5-MP-25C5-500              999,235
    ``student2`` 50C5-MP-25C5-25C5-MP-10C5-400              317,615
    ``student3`` 25C5-MP-10C5-10C5-MP-5C5-300               111,335
    ``deeper``   3x76C3-MP-3x126C3-MP-5x148C3-MP-3x1000     5,819,396
    ============ ========================================== ============

    and the classifier.  A convolution is followed by ReLU, then
    BatchNormalization, a linear layer by ReLU; so are the logits in the
    authors' code (antspy/quantized_distillation), unless ``relu_of_logits``
    is false.  Their dropout is left out, as in their distilled students.

    Args:
        name (str): As above.
        n_out (int): Number of classes.
        n_in (int): Channels of the images.
        size (int): Their height and width.
        relu_of_logits (bool): Whether a ReLU follows the classifier.

    .. seealso:: Polino et al., arXiv:1802.05668, section 5.1

    """

    SHAPES = tuple(_SHAPES)

    def __init__(self, name='student1', n_out=10, n_in=3, size=32,
                 relu_of_logits=True):
        super(PolinoCIFAR, self).__init__()
        shape = _SHAPES[name]
        self.relu_of_logits = relu_of_logits
        # of the forward: numbers of layers, and poolings
        self._steps = []  # type: list[int | str]
        with self.init_scope():
            number = 0
            for group in shape.groups:
                for n in group:
                    if n == 0:
                        break
                    number += 1
                    setattr(self, 'conv%d' % number, links.Convolution2D(
                        n_in, n, shape.ksize, pad=shape.ksize // 2))
                    setattr(self, 'bn%d' % number,
                            links.BatchNormalization(n))
                    self._steps.append(number)
                    n_in = n
                else:
                    self._steps.append('pool')
                    size = -(-size // 2)
            n_in *= size ** 2
            self._linear = ['fc%d' % (i + 1)
                            for i in range(len(shape.linear))]
            for layer, n in zip(self._linear, shape.linear):
                setattr(self, layer, L.Linear(n_in, n))
                n_in = n
            self.classifier = L.Linear(n_in, n_out)

    def forward(self, x):
        """Returns logits of shape (N, n_out) for x of shape (N, C, H, W)."""
        h = x
        for step in self._steps:
            if step == 'pool':
                h = functions.max_pooling_2d(h, 2)
            else:
                h = self['bn%s' % step](F.relu(self['conv%s' % step](h)))
        for layer in self._linear:
            h = F.relu(self[layer](h))
        h = self.classifier(h)
        return F.relu(h) if self.relu_of_logits else h
