"""Training steps of quantized_net, and of Chainer as it is."""

import time

import quantized_net
import chainer
from chainer import functions as F
from chainer import links as L
import numpy

from quantized_net import functions
from quantized_net import methods
from quantized_net import models
from quantized_net import optimizers
from quantized_net import quantizers
from quantized_net.kernels import ternary as ternary_kernels

# quantized_net ------------------------------------------------------------


def network(case):
    """The network of a case, quantized."""
    if case.net == 'mlp':
        method = methods.get(case.method)
        model = models.MLP(case.unit, 10, relu=method.relu)
        method.quantize(model)
        return model
    if case.net.startswith('resnet'):
        model, first = models.ResNetCIFAR(int(case.net[6:])), 'conv0'
    else:
        model, first = {
            'convnet': models.ConvNet, 'vgg7': models.VGG7,
        }[case.net](), 'conv1'
    if case.method != 'float':
        quantized_net.quantize(model, case.method, skip=(first,))
    return model


class _LinkClock(chainer.LinkHook):

    """The time of the quantizers' forward, with their thresholds."""

    name = 'LinkClock'

    def __init__(self):
        self.seconds = 0.

    def forward_preprocess(self, args):
        if isinstance(args.link, quantizers.Quantizer):
            self.start = time.perf_counter()

    def forward_postprocess(self, args):
        if isinstance(args.link, quantizers.Quantizer):
            self.seconds += time.perf_counter() - self.start


class _FunctionClock(chainer.FunctionHook):

    """The time of the quantizers' gradients."""

    name = 'FunctionClock'
    # classes that are no one else's business have no name to import
    classes = '_StraightThroughGrad', '_TernaryGrad'

    def __init__(self):
        self.seconds = 0.

    def forward_preprocess(self, function, in_data):
        self.start = time.perf_counter()

    def forward_postprocess(self, function, in_data):
        if type(function).__name__ in self.classes:
            self.seconds += time.perf_counter() - self.start


def make_step(case, x, t, network=network, optimizers=optimizers):
    """Returns a training step, the function of its share, and the model.

    The step returns the loss.  ``share()`` does a step under clocks and
    returns the share of its time that went into quantizing: the quantizers'
    forward, their gradients and the clip.
    """
    predictor = network(case)
    model = L.Classifier(predictor)
    # only the loss is wanted, as in the other frameworks' steps
    model.compute_accuracy = False
    if case.optimizer == 'adam':
        optimizer = optimizers.Adam().setup(model)
    elif optimizers is chainer.optimizers:
        optimizer = optimizers.MomentumSGD(case.lr).setup(model)
        optimizer.add_hook(
            chainer.optimizer_hooks.WeightDecay(case.weight_decay))
    else:
        optimizer = optimizers.MomentumSGD(
            case.lr, weight_decay=case.weight_decay).setup(model)
    clip = case.net == 'mlp' and case.method != 'float' and (
        quantized_net.WeightClip(
            params='all' if case.method == 'qnn' else None))

    def update():
        model.cleargrads()
        loss = model(x, t)
        loss.backward()
        optimizer.update()
        return loss

    def step():
        loss = update()
        if clip:
            clip(optimizer)
        return float(loss.array)

    def share():
        start = time.perf_counter()
        with _LinkClock() as links, _FunctionClock() as gradients:
            update()
        clip_start = time.perf_counter()
        if clip:
            clip(optimizer)
        end = time.perf_counter()
        return (links.seconds + gradients.seconds + end - clip_start) / (
            end - start)

    return step, share, predictor


# Chainer ------------------------------------------------------------------

class _TTQ(chainer.FunctionNode):

    """TTQ in NumPy."""

    def forward(self, inputs):
        W, Wp, Wn = inputs
        self.retain_inputs((1, 2))
        delta = abs(W).max() * W.dtype.type(0.05)
        y, self.codes = ternary_kernels.ternary_reference(W, delta, Wp, Wn)
        return y,

    def backward(self, indexes, gys):
        Wp, Wn = [v.array for v in self.get_retained_inputs()]
        gW, over_p, over_n = ternary_kernels.ternary_gradient_reference(
            gys[0].array, self.codes, Wp, Wn)
        return tuple(chainer.as_variable(numpy.asarray(g, gW.dtype))
                     for g in (gW, over_p, -over_n))


class _Scales(chainer.Link):

    def __init__(self):
        super(_Scales, self).__init__()
        with self.init_scope():
            self.Wp = chainer.Parameter(1., ())
            self.Wn = chainer.Parameter(1., ())


class _Ternary(chainer.Chain):

    method = 'float'

    def _set_method(self, method):
        self.method = method
        if method == 'ttq':
            with self.init_scope():
                self.weight_quantizer = _Scales()
        return self

    def quantized_weight(self):
        if self.method == 'ttq':
            scales = self.weight_quantizer
            return _TTQ().apply((self.W, scales.Wp, scales.Wn))[0]
        if self.method == 'twn':
            return functions.twn(self.W)  # it is NumPy
        return self.W


class _Convolution(L.Convolution2D, _Ternary):

    def forward(self, x):
        return F.convolution_2d(
            x, self.quantized_weight(), self.b, self.stride, self.pad)


class _Linear(L.Linear, _Ternary):

    def forward(self, x):
        return F.linear(x, self.quantized_weight(), self.b)


class _MLP(chainer.Chain):

    def __init__(self, unit):
        super(_MLP, self).__init__()
        with self.init_scope():
            self.l1, self.bn1 = L.Linear(784, unit), L.BatchNormalization(unit)
            self.l2 = L.Linear(unit, unit)
            self.bn2 = L.BatchNormalization(unit)
            self.l3, self.bn3 = L.Linear(unit, 10), L.BatchNormalization(10)

    def forward(self, x):
        h = F.relu(self.bn1(self.l1(x)))
        h = F.relu(self.bn2(self.l2(h)))
        return self.bn3(self.l3(h))


class _ConvNet(chainer.Chain):

    def __init__(self, method):
        super(_ConvNet, self).__init__()
        with self.init_scope():
            self.conv1 = _Convolution(1, 16, 5, pad=2)
            self.bn1 = L.BatchNormalization(16)
            self.conv2 = _Convolution(16, 32, 5, pad=2)._set_method(method)
            self.bn2 = L.BatchNormalization(32)
            self.fc = _Linear(7 * 7 * 32, 10)._set_method(method)

    def forward(self, x):
        h = F.max_pooling_2d(F.relu(self.bn1(self.conv1(x))), 2)
        h = F.max_pooling_2d(F.relu(self.bn2(self.conv2(h))), 2)
        return self.fc(h)


class _VGG7(chainer.Chain):

    def __init__(self, method):
        super(_VGG7, self).__init__()
        sizes = (3, 128, 128, 256, 256, 512, 512)
        for i in range(1, 7):
            conv = _Convolution(
                sizes[i - 1], sizes[i], 3, pad=1, nobias=True)
            if i > 1:
                conv._set_method(method)
            self.add_link('conv%d' % i, conv)
            self.add_link('bn%d' % i, L.BatchNormalization(sizes[i]))
        with self.init_scope():
            self.fc7 = _Linear(
                4 * 4 * 512, 1024, nobias=True)._set_method(method)
            self.bn7 = L.BatchNormalization(1024)
            self.fc8 = _Linear(1024, 10)._set_method(method)

    def forward(self, h):
        for i in range(1, 7):
            h = F.relu(self['bn%d' % i](self['conv%d' % i](h)))
            if i % 2 == 0:
                h = F.max_pooling_2d(h, 2)
        return self.fc8(F.relu(self.bn7(self.fc7(h))))


class _Block(chainer.Chain):

    def __init__(self, n_in, n_out, first, method):
        super(_Block, self).__init__()
        self.more = n_out - n_in
        with self.init_scope():
            self.bn1 = None if first else L.BatchNormalization(n_in, eps=1e-5)
            self.conv1 = _Convolution(
                n_in, n_out, 3, 2 if self.more else 1, 1, nobias=True,
            )._set_method(method)
            self.bn2 = L.BatchNormalization(n_out, eps=1e-5)
            self.conv2 = _Convolution(
                n_out, n_out, 3, pad=1, nobias=True)._set_method(method)

    def forward(self, x):
        h = x if self.bn1 is None else F.relu(self.bn1(x))
        h = self.conv2(F.relu(self.bn2(self.conv1(h))))
        if self.more:
            x = F.pad(F.average_pooling_2d(x, 2), (
                (0, 0), (self.more // 2, self.more // 2), (0, 0), (0, 0)),
                'constant')
        return h + x


class _ResNetCIFAR(chainer.Chain):

    def __init__(self, method, depth):
        super(_ResNetCIFAR, self).__init__()
        n = depth // 6

        def stage(n_in, n_out):
            return chainer.ChainList(*[
                _Block(n_out if i else n_in, n_out, i == 0 and n_in == n_out,
                       method) for i in range(n)])

        with self.init_scope():
            self.conv0 = _Convolution(3, 16, 3, pad=1, nobias=True)
            self.bn0 = L.BatchNormalization(16, eps=1e-5)
            self.res1, self.res2, self.res3 = (
                stage(16, 16), stage(16, 32), stage(32, 64))
            self.bn_last = L.BatchNormalization(64, eps=1e-5)
            self.linear = _Linear(64, 10)._set_method(method)

    def forward(self, x):
        h = F.relu(self.bn0(self.conv0(x)))
        for stage in (self.res1, self.res2, self.res3):
            for block in stage:
                h = block(h)
        return self.linear(F.average(F.relu(self.bn_last(h)), axis=(2, 3)))


def _stock_network(case):
    if case.net == 'mlp':
        return _MLP(case.unit)
    if case.net.startswith('resnet'):
        return _ResNetCIFAR(case.method, int(case.net[6:]))
    return {'convnet': _ConvNet, 'vgg7': _VGG7}[case.net](case.method)


def make_stock_step(case, x, t, weights=None):
    """Returns a training step of Chainer's own links and optimizers."""
    step, _, model = make_step(
        case, x, t, _stock_network, chainer.optimizers)
    if weights is not None:
        params = dict(model.namedparams())
        for path, array in weights.items():
            params.pop(path).array[...] = array
        if params:
            raise ValueError('no weights for %s' % ', '.join(params))
    return step
