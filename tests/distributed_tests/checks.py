"""What the ranks answer each other: run on two."""

import quantized_net  # noqa: F401  (before chainer)
import chainer
from chainer import links as L
import numpy

from quantized_net import datasets
from quantized_net import errors
from quantized_net import extensions
from quantized_net import links
from quantized_net.training import distributed
from quantized_net.training import parallel

CPU = chainer.get_device('@numpy')


class Model(chainer.Chain):

    def __init__(self):
        super(Model, self).__init__()
        with self.init_scope():
            self.predictor = L.Linear(27, 10)

    def forward(self, x, t):
        loss = chainer.functions.softmax_cross_entropy(self.predictor(x), t)
        chainer.report({'loss': loss, 'largest': loss.array.max()}, self)
        return loss


def check_agreement(ranks):
    me = ranks.rank
    assert ranks.first(False) is None
    assert ranks.first(me == 1) == 1 and ranks.first(True) == 0
    assert ranks.on_first(lambda: 10 + me) == 10
    assert ranks.on_all(lambda: 10 + me) == 10 + me

    def fail(text):
        raise errors.UserError(text)

    for function, message in (
            (lambda: ranks.on_first(lambda: fail('no file')), 'no file'),
            (lambda: ranks.on_all(lambda: fail('bad')), 'bad'),
            (lambda: ranks.on_all(lambda: me == 1 and fail('no GPU')),
             'rank 1: no GPU')):
        try:
            function()
        except errors.UserError as e:
            assert str(e) == message, e
        else:
            raise AssertionError(message)
        assert ranks.all_end
        ranks.all_end = False


def check_streams(ranks):
    numpy.random.seed(5)
    drawn = []
    for iteration in (7, 8, 7):
        with ranks.own_stream(CPU, 3, iteration):
            drawn.append(chainer.functions.dropout(
                numpy.ones(100, 'f'), .5).array.tobytes())
    assert drawn[0] == drawn[2] != drawn[1]
    masks = ranks.mpi.allgather(drawn[0])
    assert masks[0] != masks[1]
    numbers = numpy.random.random(3)
    numpy.random.seed(5)
    numpy.testing.assert_array_equal(numbers, numpy.random.random(3))


def check_shared(ranks):
    model = chainer.Sequential(L.Linear(3, 2), L.BatchNormalization(2))
    model[0].W.array[...] = ranks.rank
    model[1].avg_mean[...] = [ranks.rank, 1 / 3]
    model[1].N = ranks.rank
    ranks.average(model)
    numpy.testing.assert_array_equal(
        model[1].avg_mean, numpy.array([.5, 1 / 3], 'f'))
    assert model[0].W.array[0, 0] == ranks.rank
    ranks.share(model)
    assert model[0].W.array[0, 0] == 0 and model[1].N == 0


def check_layout(ranks):
    model = L.Linear(3, 2)
    model.W.grad = numpy.zeros((2, 3), 'f')
    ranks.check_layout(model)
    model.W.grad = numpy.zeros((3, 2), 'f').T
    try:
        ranks.check_layout(model)
    except ValueError as e:
        assert '/W is not C-contiguous' in str(e)
    else:
        raise AssertionError('not refused')


def check_synchronized(ranks):
    model = chainer.Sequential(links.BatchNormalization(2))
    ranks.synchronize(model)
    assert model[0].total is not None
    with parallel.unsynchronized(model):
        assert model[0].total is None
    assert model[0].total is not None
    for kind in (L.BatchNormalization, links.ShiftBatchNormalization):
        try:
            ranks.synchronize(chainer.Sequential(kind(2)))
        except errors.UserError as e:
            assert '/0 is a ' in str(e), e
        else:
            raise AssertionError('not refused')


def check_evaluation(ranks):
    """301 images in batches of 50: Chainer's mean is not that of all."""
    numpy.random.seed(0)
    images = numpy.random.randint(0, 256, (301, 3, 3, 3)).astype(numpy.uint8)
    labels = numpy.random.randint(0, 10, 301).astype('i')
    model = Model()
    with chainer.no_backprop_mode():
        x, t = datasets.BatchIterator(images, labels, 301, False, False).next()
        expected = float(model(x, t).array)
    for kind in (chainer.training.extensions.Evaluator,
                 extensions.BatchStatisticsEvaluator):
        iterators = [
            datasets.BatchIterator(images, labels, 50, False, False),
            chainer.iterators.SerialIterator(
                list(zip(x, t)), 50, False, False)]
        for iterator, converter in zip(iterators, (
                datasets.to_device, chainer.dataset.concat_examples)):
            evaluator = parallel.evaluator(ranks, kind)(
                iterator, model, device=CPU, converter=converter)
            for _ in range(2):
                result = evaluator()
                assert abs(result['main/loss'] - expected) < 1e-6, result
    theirs = chainer.training.extensions.Evaluator(
        iterators[0], model, device=CPU, converter=datasets.to_device)()
    assert abs(theirs['main/loss'] - expected) > 1e-5


def main():
    ranks = distributed.start('naive')
    assert ranks.size == 2 and ranks.local_rank == ranks.rank
    for check in (check_agreement, check_streams, check_shared, check_layout,
                  check_synchronized, check_evaluation):
        check(ranks)
        ranks.mpi.Barrier()
        if ranks.rank == 0:
            print(check.__name__)


if __name__ == '__main__':
    import sys
    import traceback
    try:
        main()
    except Exception:
        traceback.print_exc()
        sys.stderr.flush()
        distributed.current().mpi.Abort(1)
