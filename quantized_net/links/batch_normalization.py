"""BatchNormalization with the addition and the ReLU that follow it."""

import typing

import chainer
from chainer import links as L
from chainer.utils import argument

from quantized_net import functions


class BatchNormalization(L.BatchNormalization):

    """:class:`chainer.links.BatchNormalization`, faster on the CPU.

    The arguments of the constructor are Chainer's.

    Attributes:
        total (callable): Gives the sum of a float64 array over the processes
            that train together; in training the statistics are then those of
            all their batches.  ``None``, the default, for one process.

    """

    total: typing.Any = None

    def forward(self, x, **kwargs):
        """Normalizes by the batch's statistics, or the running ones.

        Args:
            x (~chainer.Variable): Input, shape (N, C) or (N, C, H, W).
            residual (~chainer.Variable): Added to the normalized x.
            relu (bool): Whether the ReLU follows.
            finetune (bool): As in Chainer.  All three by name only.

        Returns:
            ~chainer.Variable: Output, same shape as ``x``.

        """
        residual, relu, finetune = argument.parse_kwargs(
            kwargs, ('residual', None), ('relu', False), ('finetune', False),
            test='test argument is not supported anymore. '
            'Use chainer.using_config')
        x = chainer.as_variable(x)
        if self.avg_mean is None:
            self._initialize_params(tuple(
                n for i, n in enumerate(x.shape) if i not in self.axis))
        gamma, beta = self.gamma, self.beta
        if gamma is None:
            gamma, = self._get_gamma()
        if beta is None:
            beta, = self._get_beta()
        if not chainer.config.train:
            return functions.fixed_batch_normalization(
                x, gamma, beta, self.avg_mean, self.avg_var, self.eps,
                self.axis, residual, relu)
        decay = self.decay
        if finetune:
            if not chainer.config.in_recomputing:
                self.N += 1
            decay = 1. - 1. / self.N
        # an extra forward does not count
        mean, var = (None, None) if chainer.config.in_recomputing else (
            self.avg_mean, self.avg_var)
        if self.total is not None:
            return functions.synchronized_batch_normalization(
                x, gamma, beta, self.total, self.eps, mean, var, decay,
                residual, relu)
        return functions.batch_normalization(
            x, gamma, beta, self.eps, mean, var, decay, self.axis, residual,
            relu)
