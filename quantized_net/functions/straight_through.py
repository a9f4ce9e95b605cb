"""The straight-through estimator that the quantizing functions share."""

from chainer import function_node
from chainer.utils import type_check

from quantized_net.kernels import straight_through as kernels


class StraightThroughFunction(function_node.FunctionNode):

    """A function of one array whose derivative is taken as an indicator.

    Subclasses write ``quantize(x)``, of an array.  The gradient is that
    of the hard tanh, scaled to ``clip_value``:

    .. math::

        \\frac{\\partial L}{\\partial x} = \\begin{cases}
            \\frac{\\partial L}{\\partial y} & |x| \\leq \\text{clip\\_value}
            \\\\ 0 & \\text{otherwise (and where x is NaN)} \\end{cases}

    ``clip_value=None`` passes the gradient everywhere.

    """

    def __init__(self, clip_value):
        if clip_value is not None and not clip_value > 0:
            raise ValueError(
                'clip_value must be positive or None, not %r' % (clip_value,))
        self.clip_value = clip_value

    def check_type_forward(self, in_types):
        type_check._argname(in_types, ('x',))
        type_check.expect(in_types[0].dtype.kind == 'f')

    def forward(self, inputs):
        if self.clip_value is not None:
            self.retain_inputs((0,))
        return self.quantize(inputs[0]),

    def backward(self, indexes, gys):
        if self.clip_value is None:
            return gys
        x, = self.get_retained_inputs()
        return _StraightThroughGrad(x.array, self.clip_value).apply(gys)


class _StraightThroughGrad(function_node.FunctionNode):

    """gy where |x| <= clip_value, else 0; linear in gy."""

    def __init__(self, x, clip_value):
        self.x = x
        self.clip_value = clip_value

    def forward(self, inputs):
        return kernels.pass_inside(self.x, inputs[0], self.clip_value),

    def backward(self, indexes, ggxs):
        return _StraightThroughGrad(self.x, self.clip_value).apply(ggxs)
