"""Training steps of every method, as the scripts make them, but small."""

import chainer
import numpy

from quantized_net import links
from quantized_net import methods
from quantized_net import models
from quantized_net import optimizers

# a network of each script with each of its methods
NAMES = [
    'mlp float', 'mlp bnn', 'mlp qnn', 'mlp binaryconnect', 'convnet float',
    'convnet ttq', 'convnet twn', 'convnet bwn', 'mlp dorefa', 'mlp lsq',
    'convnet inq', 'convnet buckets', 'resnet20 float', 'resnet20 ttq',
    'resnet20 twn']


class Case(object):

    """A network on a device with its optimizer and one minibatch a step."""

    def __init__(self, name, device, dtype='f'):
        self.device = device
        self.kind, method = name.split()
        self._draw = numpy.random.RandomState(1)
        self._dtype = dtype
        numpy.random.seed(0)
        with chainer.using_config('dtype', numpy.dtype(dtype)):
            self.model = links.Classifier(self._predictor(method))
            skip = ('conv0',) if self.kind == 'resnet20' else ()
            methods.get(method).quantize(self.model.predictor, skip=skip)
        for param in self.model.params():  # the scales start as float32
            param.array = param.array.astype(dtype)
        self.model.to_device(device)
        self.optimizer = self._optimizer(method).setup(self.model)
        options = methods.get(method).default_options()
        options.clip = methods.get(method).clip
        methods.get(method).set_up(self.optimizer, options)

    def _predictor(self, method):
        if self.kind == 'mlp':
            return models.MLP(20, 10, relu=methods.get(method).relu)
        if self.kind == 'convnet':
            return models.ConvNet()
        return models.ResNetCIFAR(20, 10, 3)

    def _optimizer(self, method):
        if self.kind == 'resnet20':
            return optimizers.MomentumSGD(
                .01, .9, 2e-4,
                lambda name, param: name.endswith(('/W', '/Wp', '/Wn')))
        return optimizers.Adam()

    def batch(self):
        shape = {'mlp': (784,), 'convnet': (1, 28, 28),
                 'resnet20': (3, 8, 8)}[self.kind]
        x = self._draw.uniform(size=(8,) + shape).astype(self._dtype)
        t = self._draw.randint(0, 10, 8).astype('i')
        return self.device.send(x), self.device.send(t)

    def step(self):
        x, t = self.batch()
        self.optimizer.update(self.model, x, t)

    def compared(self):
        """Parameters and running statistics by name, as NumPy arrays.

        Without biases before a BatchNormalization: it takes their gradient
        away but for rounding, which Adam makes as large as any.
        """
        cpu = chainer.get_device('@numpy')
        params = dict(self.model.namedparams())
        ends = [name[:-len('/gamma')] for name in params
                if name.endswith('/gamma')]
        noise = {end.replace('/bn', layer) + '/b'
                 for end in ends for layer in ('/l', '/conv')}
        found = {name: cpu.send(param.array)
                 for name, param in params.items() if name not in noise}
        for name, link in self.model.namedlinks():
            for key in ('avg_mean', 'avg_var'):
                if getattr(link, key, None) is not None:
                    found['%s/%s' % (name, key)] = cpu.send(
                        getattr(link, key))
        found['loss'] = cpu.send(self.model.loss.array)
        return found
