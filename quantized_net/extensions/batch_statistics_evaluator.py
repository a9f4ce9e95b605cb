"""Evaluation on the statistics of each batch."""

import chainer
from chainer.training import extensions


class BatchStatisticsEvaluator(extensions.Evaluator):

    """Evaluates in training mode: BatchNormalization sees each batch.

    The QNN repository never left training mode, so this is how its table
    was made.  A figure of this kind depends on the batch size and on which
    images share a batch; a deployed model has none.  Running statistics and
    all other persistent values are left as they were.

    """

    default_name = 'validation_batch'

    def evaluate(self):
        saved = [
            (link, name, _copy(link.__dict__[name]))
            for link in self.get_target('main').links()
            for name in link._persistent]
        try:
            with chainer.using_config('train', True):
                return super(BatchStatisticsEvaluator, self).evaluate()
        finally:
            for link, name, value in saved:
                link.__dict__[name] = value


def _copy(value):
    return value.copy() if hasattr(value, 'copy') else value
