"""The distiller against its formula."""

import copy

import chainer
from chainer import functions as F
from chainer import gradient_check
from chainer import links as L
import numpy
import pytest

import quantized_net
from quantized_net import distillation
from testing import to_cpu


def log_softmax(y):
    return y - numpy.log(numpy.exp(y).sum(axis=1, keepdims=True))


def expected_loss(y, teacher_y, t, T, weight):
    y, teacher_y = y.astype('d'), teacher_y.astype('d')
    cross_entropy = -log_softmax(y)[numpy.arange(len(t)), t].mean()
    log_p, log_q = log_softmax(teacher_y / T), log_softmax(y / T)
    divergence = (numpy.exp(log_p) * (log_p - log_q)).sum(axis=1).mean()
    return (1 - weight) * cross_entropy + weight * T * T * divergence


class Net(chainer.Chain):

    def __init__(self):
        super(Net, self).__init__()
        with self.init_scope():
            self.fc = L.Linear(4, 3)
            self.bn = L.BatchNormalization(3)

    def forward(self, x):
        return F.dropout(self.bn(self.fc(x)), .5 * (self.name is None))


def make(device, **options):
    teacher = Net()
    teacher.bn.avg_mean[...] = .3
    distiller = distillation.Distiller(Net(), teacher, **options)
    distiller.to_device(device)
    return distiller


@pytest.fixture
def batch(device):
    return (device.send(numpy.random.normal(size=(5, 4)).astype('f')),
            device.send(numpy.array([0, 2, 1, 1, 0], 'i')))


@pytest.mark.parametrize('T,weight', [(2., .5), (1., 1.), (4., 0.), (3, .2)])
def test_the_formula(device, batch, T, weight):
    distiller = make(device, temperature=T, weight=weight)
    teacher_before = {name: to_cpu(value).copy() for name, value in (
        ('avg_mean', distiller.teacher.bn.avg_mean),
        ('avg_var', distiller.teacher.bn.avg_var))}
    loss = distiller(*batch)
    with chainer.using_config('train', False):
        teacher_y = to_cpu(distiller.teacher(batch[0]))
    assert float(loss.array) == pytest.approx(expected_loss(
        to_cpu(distiller.y), teacher_y, to_cpu(batch[1]), T, weight), 1e-5)
    distiller.cleargrads()
    loss.backward()
    assert distiller.predictor.fc.W.grad is not None
    assert distiller.teacher.fc.W.grad is None or bool(
        device.xp.isnan(distiller.teacher.fc.W.grad).all())  # never set
    for name, value in teacher_before.items():
        assert (to_cpu(getattr(distiller.teacher.bn, name)) == value).all()


def test_the_gradient(device):
    y, teacher_y = [device.send(numpy.random.normal(size=(3, 4)))
                    for _ in range(2)]
    gradient_check.check_backward(
        lambda y: distillation.distillation_loss(y, teacher_y, 3.), y, None,
        dtype='d')


def test_far_logits_are_finite(device):
    y = device.send(numpy.array([[1000, 0], [0, 1000]], 'f'))
    loss = distillation.distillation_loss(y, y[::-1], 1.)
    assert float(loss.array) == 1000


@pytest.mark.parametrize('train', [True, False])
def test_what_is_reported(device, batch, train):
    distiller = make(device)
    reporter = chainer.Reporter()
    reporter.add_observer('main', distiller)
    with chainer.using_config('train', train), reporter.scope({}) as _:
        reporter.observation = observation = {}
        loss = distiller(*batch)
    assert set(observation) == {'main/loss', 'main/accuracy'}
    assert float(observation['main/loss'].array) == float(loss.array)


def test_in_test_mode_it_is_the_classifier(device, batch):
    distiller = make(device)
    distiller.teacher.forward = None  # would raise
    with chainer.using_config('train', False):
        assert float(distiller(*batch).array) == float(
            L.Classifier(distiller.predictor)(*batch).array)


def test_the_teacher_is_no_child(device, batch, tmp_path):
    distiller = make(device)
    assert all(name.startswith('/predictor/')
               for name, _ in distiller.namedparams())
    chainer.serializers.save_npz(str(tmp_path / 'model'), distiller)
    classifier = L.Classifier(Net())
    chainer.serializers.load_npz(str(tmp_path / 'model'), classifier)
    assert distiller.teacher.fc.W.device == device
    distiller(*batch)
    copied = copy.deepcopy(distiller.copy())
    with chainer.using_config('train', False):
        assert float(copied(*batch).array) == float(distiller(*batch).array)


@pytest.mark.parametrize('options', [
    {'temperature': 0}, {'weight': -.1}, {'weight': 1.1}])
def test_refusals(options):
    with pytest.raises(quantized_net.UserError, match=list(options)[0]):
        distillation.Distiller(Net(), Net(), **options)


def test_logits_of_other_shapes_are_refused():
    y = numpy.zeros((2, 3), 'f')
    with pytest.raises(quantized_net.UserError, match=r'\(2, 3\)'):
        distillation.distillation_loss(y, y[:, :1], 1.)
