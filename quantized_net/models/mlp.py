"""The multi-layer perceptron of the MNIST table."""

import chainer

from quantized_net import links
from quantized_net import quantizers

# The weights' gradient is passed everywhere (clip_value=None): WeightClip
# keeps the latent weights where it would pass anyway.
_QUANTIZERS = {
    'float': {},
    'qnn': {
        'weight_quantizer': lambda: quantizers.LogQuant(clip_value=None),
        'input_quantizer': lambda: quantizers.LogQuant(),
        'gradient_quantizer': lambda: quantizers.LogQuant(clip_value=None),
    },
    'bnn': {
        'weight_quantizer': lambda: quantizers.Sign(clip_value=None),
        'input_quantizer': lambda: quantizers.Sign(),
    },
}

METHODS = tuple(_QUANTIZERS)


class MLP(chainer.Chain):

    """Three linear layers, each followed by BatchNormalization.

    The first layer sees its input as it comes, the others quantize theirs.
    Methods:

    * ``'float'``: ReLU, nothing quantized;
    * ``'qnn'``: weights, activations and backward operands are powers of two
      without a lower limit, ReLU; what the table of peisuke/qnn was made
      with.  That code scales weights by 64 and activations by 1/64; the
      scales cancel, through BatchNormalization in the first layer, and are
      left out here;
    * ``'bnn'``: weights and activations are -1 and +1 (arXiv:1602.02830).

    Args:
        n_units (int): Width of the two hidden layers.
        n_out (int): Number of classes.
        method (str): One of ``METHODS``.
        n_in (int): Size of the input.

    """

    def __init__(self, n_units=1000, n_out=10, method='qnn', n_in=784):
        super(MLP, self).__init__()
        makers = _QUANTIZERS[method]
        self.method = method

        def linear(n_in, n_out, quantize_input=True):
            return links.QuantizedLinear(n_in, n_out, **{
                name: make() for name, make in makers.items()
                if quantize_input or name != 'input_quantizer'})

        with self.init_scope():
            self.l1 = linear(n_in, n_units, quantize_input=False)
            self.bn1 = links.BatchNormalization(n_units)
            self.l2 = linear(n_units, n_units)
            self.bn2 = links.BatchNormalization(n_units)
            self.l3 = linear(n_units, n_out)
            self.bn3 = links.BatchNormalization(n_out)

    def forward(self, x):
        """Returns logits of shape (N, n_out) for x of shape (N, n_in)."""
        # the sign, taken by the next layer, is the binary nonlinearity
        relu = self.method != 'bnn'
        h = self.bn1(self.l1(x), relu=relu)
        h = self.bn2(self.l2(h), relu=relu)
        return self.bn3(self.l3(h))
