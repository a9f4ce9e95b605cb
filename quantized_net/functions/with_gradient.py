"""An identity whose gradient goes through a function."""

from chainer import function_node


class _WithGradient(function_node.FunctionNode):

    def __init__(self, function):
        self.function = function

    def forward(self, inputs):
        return inputs

    def backward(self, indexes, gys):
        return self.function(gys[0]),


def with_gradient(x, function):
    """Passes x on, and the gradient that comes back through a function.

    .. math:: y = x \\qquad
        \\frac{\\partial L}{\\partial x} =
        q\\left(\\frac{\\partial L}{\\partial y}\\right)

    Args:
        x (:class:`~chainer.Variable` or :ref:`ndarray`): Any shape.
        function (callable): q, from a variable to one of the same shape.

    Returns:
        ~chainer.Variable: With the array of ``x``.

    """
    return _WithGradient(function).apply((x,))[0]
