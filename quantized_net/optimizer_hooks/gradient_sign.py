"""Every weight moves by the same step."""

from chainer import backend


class GradientSign(object):

    """Optimizer hook that replaces each gradient by its sign.

    Under plain SGD every weight then moves by the learning rate, against the
    sign of its gradient: the variant that the README of
    vinsis/ternary-quantization tells of.  A gradient of zero stays zero.
    """

    name = 'GradientSign'
    timing = 'pre'
    call_for_each_param = True

    def __call__(self, rule, param):
        if param.grad is not None:
            xp = backend.get_array_module(param.grad)
            xp.sign(param.grad, out=param.grad)
