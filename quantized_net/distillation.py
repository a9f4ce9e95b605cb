"""A network that learns from another one as well as from the labels."""

import chainer
from chainer import functions as F

from quantized_net import errors
from quantized_net import links


class Distiller(links.Classifier):

    """A classifier whose predictor learns from a teacher, too.

    With the cross entropy CE of the labels, the logits y of the predictor
    and those of the teacher, the loss in training is

    .. math::

        (1 - weight) \\, CE + weight \\, T^2 \\,
        KL(\\text{softmax}(y_{teacher} / T) \\,\\|\\, \\text{softmax}(y / T))

    as mean over the batch, or over the batch and the classes; in test mode it
    is CE, and the teacher does not run.  ``loss`` and ``accuracy`` are
    reported as Classifier's are.

    The teacher always runs in test mode and without a graph.  It is no child
    link: it is not saved, not optimized, and follows to other devices.

    Args:
        predictor (~chainer.Link): What is trained.
        teacher (~chainer.Link): From the same inputs to logits of the same
            shape.
        temperature (float): T, above 0.
        weight (float): Of the teacher, from 0 to 1.
        lossfun (callable): Of the labels, in the place of CE.
        mean (str): Of the teacher's part: ``'batch'``, or ``'elements'``, of
            batch and classes (:func:`distillation_loss`).

    .. seealso:: Hinton et al., arXiv:1503.02531, section 2; Polino et al.,
        arXiv:1802.05668, section 2.

    """

    def __init__(self, predictor, teacher, temperature=2., weight=.5,
                 lossfun=F.softmax_cross_entropy, mean='batch'):
        super(Distiller, self).__init__(predictor, lossfun)
        if not temperature > 0:
            raise errors.UserError(
                'temperature must be above 0, not %r' % (temperature,))
        if not 0 <= weight <= 1:
            raise errors.UserError(
                'weight must be from 0 to 1, not %r' % (weight,))
        self.teacher = teacher  # outside of init_scope: no child
        self.temperature = temperature
        self.weight = weight
        _check_mean(mean)
        self.mean = mean

    def forward(self, x, t):
        """Returns the loss.

        Args:
            x (~chainer.Variable): Input of the two networks.
            t (~chainer.Variable): Labels, shape (N,).

        Returns:
            ~chainer.Variable: Loss, shape ().

        """
        loss = super(Distiller, self).forward(x, t)
        if chainer.config.train:
            with chainer.using_config('train', False):
                with chainer.no_backprop_mode():
                    teacher_y = self.teacher(x)
            self.loss = loss = (1 - self.weight) * loss + (
                self.weight * distillation_loss(
                    self.y, teacher_y, self.temperature, self.mean))
            chainer.report({'loss': loss}, self)
        return loss

    def device_resident_accept(self, visitor):
        super(Distiller, self).device_resident_accept(visitor)
        self.teacher.device_resident_accept(visitor)


def distillation_loss(y, teacher_y, temperature, mean='batch'):
    """The divergence from a teacher's softened predictions, times T squared.

    .. math::

        T^2 \\frac 1 N \\sum_{n, c} p_{nc} (\\log p_{nc} - \\log q_{nc})
        \\qquad p = \\text{softmax}(y_{teacher} / T), \\;
        q = \\text{softmax}(y / T)

    The factor keeps the gradient's size, which falls with the square of T.

    Args:
        y (~chainer.Variable): Logits, shape (N, C).
        teacher_y (~chainer.Variable): Logits of the teacher, shape (N, C);
            get no gradient.
        temperature (float): T.
        mean (str): ``'batch'``, as above; or ``'elements'``: divided by the
            number of classes, too, as the code of arXiv:1802.05668 has it.

    Returns:
        ~chainer.Variable: Shape ().

    Raises:
        ~quantized_net.UserError: For logits of different shapes.

    .. seealso:: Hinton et al., arXiv:1503.02531, eq. 1 to 4.

    """
    y, teacher_y = [chainer.as_variable(v) for v in (y, teacher_y)]
    if y.shape != teacher_y.shape:
        raise errors.UserError(
            'the predictor gives logits of shape %s and the teacher of %s'
            % (y.shape, teacher_y.shape))
    with chainer.no_backprop_mode():
        log_p = F.log_softmax(teacher_y / temperature).array
    log_q = F.log_softmax(y / temperature)
    p = chainer.backend.get_array_module(log_p).exp(log_p)
    _check_mean(mean)
    n = len(y) if mean == 'batch' else y.size
    return temperature ** 2 / n * F.sum(p * (log_p - log_q))


def _check_mean(mean):
    if mean not in ('batch', 'elements'):
        raise errors.UserError(
            "mean must be 'batch' or 'elements', not %r" % (mean,))
