"""The networks of quantized_net.models in PyTorch, with the same methods.

Names are those of quantized_net's parameters (:func:`torch_name`), so the
weights of one side can be copied to the other.  Nothing here imports
Chainer.
"""

import torch
from torch import nn
from torch.nn import functional


# Quantizing ---------------------------------------------------------------

def _clipped(ctx, gy):
    if not ctx.clip:
        return gy
    # one pass; where |x| is just 1 it gives 0, which comparing need not
    x, = ctx.saved_tensors
    return torch.ops.aten.hardtanh_backward(gy, x, -1, 1)


class Sign(torch.autograd.Function):

    @staticmethod
    def forward(ctx, x, clip):
        ctx.clip = clip
        ctx.save_for_backward(x)
        # half the time of comparing, and the same but for -0.
        return torch.copysign(x.new_ones(()), x)

    @staticmethod
    def backward(ctx, gy):
        return _clipped(ctx, gy), None


def power_of_two(x):
    # the bits as in quantized_net.functions.ap2: several times faster than
    # frexp and ldexp, or log2 and exp2, in PyTorch
    bits = x.clamp(-1, 1).view(torch.int32)
    return (bits + (0x800000 - 0x3504f4)).bitwise_and_(
        -0x800000).view(torch.float32)


class LogQuant(torch.autograd.Function):

    @staticmethod
    def forward(ctx, x, clip):
        ctx.clip = clip
        ctx.save_for_backward(x)
        return power_of_two(x)

    @staticmethod
    def backward(ctx, gy):
        return _clipped(ctx, gy), None


class QuantizedBackwardLinear(torch.autograd.Function):

    @staticmethod
    def forward(ctx, x, W, b):
        ctx.save_for_backward(x, W)
        return functional.linear(x, W, b)

    @staticmethod
    def backward(ctx, gy):
        x, W = ctx.saved_tensors
        gq = power_of_two(gy)
        gx = gq @ W if ctx.needs_input_grad[0] else None
        return gx, gq.t() @ power_of_two(x), gy.sum(0)


def max_threshold(W, t=0.05):
    if torch.compiler.is_compiling():
        return W.abs().amax() * t
    low, high = torch.aminmax(W)
    return torch.maximum(high, -low) * t


def ternary_codes(W, delta):
    """-1, 0 and 1, in the type of W."""
    # Of what was tried, these forms were the fastest, here and in
    # torch.compile.  torch.where on masks, masked_fill_ and masks times
    # numbers take up to 50 times as long: the processor guesses each branch.
    if torch.compiler.is_compiling():
        return (W > delta).to(W.dtype) - (W < -delta).to(W.dtype)
    return functional.hardshrink(W, float(delta)).sign_()


def ternary(W, delta, Wp, Wn):
    """The values and the codes."""
    codes = ternary_codes(W, delta)
    if torch.compiler.is_compiling():
        return codes.clamp(min=0) * Wp + codes.clamp(max=0) * Wn, codes
    y = codes.clamp(min=0).mul_(Wp)
    return y.add_(codes.clamp(max=0).mul_(Wn)), codes


def ternary_gradient(g, codes, Wp, Wn):
    """The gradients of W, Wp and Wn."""
    positive, negative = codes.clamp(min=0), codes.clamp(max=0)
    if torch.compiler.is_compiling():
        factor = 1 - positive + negative + positive * Wp - negative * Wn
        return g * factor, (g * positive).sum(), (g * negative).sum()
    if g.stride() != codes.stride():
        g = torch.empty_like(codes).copy_(g)
    flat = _flat(g)
    over_p = torch.dot(flat, _flat(positive))
    over_n = torch.dot(flat, _flat(negative))
    gW = (1 - positive).add_(negative).add_(
        positive.mul_(Wp)).sub_(negative.mul_(Wn)).mul_(g)
    return gW, over_p, over_n


def _flat(a):
    if a.ndim == 4 and a.is_contiguous(memory_format=torch.channels_last):
        a = a.permute(0, 2, 3, 1)  # then reshape copies nothing
    return a.reshape(-1)


class TTQ(torch.autograd.Function):

    @staticmethod
    def forward(ctx, W, Wp, Wn):
        y, codes = ternary(W, max_threshold(W), Wp, Wn)
        ctx.save_for_backward(codes, Wp, Wn)
        return y

    @staticmethod
    def backward(ctx, g):
        return ternary_gradient(g, *ctx.saved_tensors)


class TWN(torch.autograd.Function):

    @staticmethod
    def forward(ctx, W):
        codes = ternary_codes(W, W.abs().mean() * 0.7)
        if torch.compiler.is_compiling():
            alpha = (W * codes).sum() / codes.abs().sum().clamp(1.)
            return codes * alpha
        flat = _flat(codes)
        alpha = torch.dot(_flat(W), flat) / torch.dot(flat, flat).clamp_(1.)
        return codes.mul_(alpha)

    @staticmethod
    def backward(ctx, g):
        return g


# Layers -------------------------------------------------------------------

class _Ternary:

    method = 'float'

    def _set_method(self, method):
        self.method = method
        if method == 'ttq':
            self.Wp = nn.Parameter(torch.ones(()))
            self.Wn = nn.Parameter(torch.ones(()))
        return self

    def quantized_weight(self):
        if self.method == 'ttq':
            return TTQ.apply(self.weight, self.Wp, self.Wn)
        if self.method == 'twn':
            return TWN.apply(self.weight)
        return self.weight


class Conv2d(nn.Conv2d, _Ternary):

    def forward(self, x):
        return self._conv_forward(x, self.quantized_weight(), self.bias)


class Linear(nn.Linear, _Ternary):

    def forward(self, x):
        return functional.linear(x, self.quantized_weight(), self.bias)


def _relu(h):
    return functional.relu(h, inplace=True)


# Networks -----------------------------------------------------------------

class MLP(nn.Module):

    def __init__(self, method, unit=1000):
        super(MLP, self).__init__()
        self.method = method
        self.l1 = nn.Linear(784, unit)
        self.bn1 = nn.BatchNorm1d(unit, eps=2e-5)
        self.l2 = nn.Linear(unit, unit)
        self.bn2 = nn.BatchNorm1d(unit, eps=2e-5)
        self.l3 = nn.Linear(unit, 10)
        self.bn3 = nn.BatchNorm1d(10, eps=2e-5)

    def clipped(self):
        """The parameters that are clipped to [-1, 1] after each step."""
        return {'float': [], 'qnn': list(self.parameters()),
                'bnn': [m.weight for m in (self.l1, self.l2, self.l3)],
                }[self.method]

    def _linear(self, layer, h, quantize_input=True):
        if self.method == 'bnn':
            if quantize_input:
                h = Sign.apply(h, True)
            return functional.linear(
                h, Sign.apply(layer.weight, False), layer.bias)
        if self.method == 'qnn':
            if quantize_input:
                h = LogQuant.apply(h, True)
            return QuantizedBackwardLinear.apply(
                h, LogQuant.apply(layer.weight, False), layer.bias)
        return layer(h)

    def forward(self, x):
        relu = _relu if self.method != 'bnn' else (lambda h: h)
        h = relu(self.bn1(self._linear(self.l1, x, False)))
        h = relu(self.bn2(self._linear(self.l2, h)))
        return self.bn3(self._linear(self.l3, h))


class ConvNet(nn.Module):

    def __init__(self, method):
        super(ConvNet, self).__init__()
        self.conv1 = Conv2d(1, 16, 5, padding=2)
        self.bn1 = nn.BatchNorm2d(16, eps=2e-5)
        self.conv2 = Conv2d(16, 32, 5, padding=2)._set_method(method)
        self.bn2 = nn.BatchNorm2d(32, eps=2e-5)
        self.fc = Linear(7 * 7 * 32, 10)._set_method(method)

    def forward(self, x):
        h = functional.max_pool2d(_relu(self.bn1(self.conv1(x))), 2)
        h = functional.max_pool2d(_relu(self.bn2(self.conv2(h))), 2)
        return self.fc(h.flatten(1))


class VGG7(nn.Module):

    def __init__(self, method):
        super(VGG7, self).__init__()
        sizes = (3, 128, 128, 256, 256, 512, 512)
        for i in range(1, 7):
            conv = Conv2d(sizes[i - 1], sizes[i], 3, padding=1, bias=False)
            if i > 1:
                conv._set_method(method)
            self.add_module('conv%d' % i, conv)
            self.add_module('bn%d' % i, nn.BatchNorm2d(sizes[i], eps=2e-5))
        self.fc7 = Linear(4 * 4 * 512, 1024, bias=False)._set_method(method)
        self.bn7 = nn.BatchNorm1d(1024, eps=2e-5)
        self.fc8 = Linear(1024, 10)._set_method(method)

    def forward(self, h):
        for i in range(1, 7):
            h = getattr(self, 'conv%d' % i)(h)
            h = _relu(getattr(self, 'bn%d' % i)(h))
            if i % 2 == 0:
                h = functional.max_pool2d(h, 2)
        return self.fc8(_relu(self.bn7(self.fc7(h.flatten(1)))))


class Block(nn.Module):

    def __init__(self, n_in, n_out, first, method):
        super(Block, self).__init__()
        self.more = n_out - n_in
        self.bn1 = None if first else nn.BatchNorm2d(n_in)
        self.conv1 = Conv2d(
            n_in, n_out, 3, 2 if self.more else 1, 1, bias=False,
        )._set_method(method)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.conv2 = Conv2d(
            n_out, n_out, 3, padding=1, bias=False)._set_method(method)

    def forward(self, x):
        h = x if self.bn1 is None else _relu(self.bn1(x))
        h = self.conv2(_relu(self.bn2(self.conv1(h))))
        if self.more:
            x = functional.pad(
                functional.avg_pool2d(x, 2),
                (0, 0, 0, 0, self.more // 2, self.more // 2))
        return h + x


class ResNetCIFAR(nn.Module):

    def __init__(self, method, depth):
        super(ResNetCIFAR, self).__init__()
        n = depth // 6
        self.conv0 = Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn0 = nn.BatchNorm2d(16)
        for stage, n_in, n_out in ((1, 16, 16), (2, 16, 32), (3, 32, 64)):
            self.add_module('res%d' % stage, nn.Sequential(*[
                Block(n_out if i else n_in, n_out, i == 0 and n_in == n_out,
                      method) for i in range(n)]))
        self.bn_last = nn.BatchNorm2d(64)
        self.linear = Linear(64, 10)._set_method(method)

    def forward(self, x):
        h = _relu(self.bn0(self.conv0(x)))
        h = self.res3(self.res2(self.res1(h)))
        return self.linear(_relu(self.bn_last(h)).mean((2, 3)))


def network(name, method, unit):
    if name == 'mlp':
        return MLP(method, unit)
    if name.startswith('resnet'):
        return ResNetCIFAR(method, int(name[6:]))
    return {'convnet': ConvNet, 'vgg7': VGG7}[name](method)


# Steps --------------------------------------------------------------------

def torch_name(path):
    """The name here of a parameter of quantized_net: '/res1/0/conv1/W'."""
    path = path.strip('/').replace('weight_quantizer/', '')
    owner, _, name = path.replace('/', '.').rpartition('.')
    name = {'W': 'weight', 'gamma': 'weight', 'b': 'bias',
            'beta': 'bias'}.get(name, name)
    return '%s.%s' % (owner, name)


def make_step(case, peer, x, t, weights=None):
    """Returns a function that does one training step and returns the loss.

    Args:
        case (step_case.Case): The network, its method and optimizer.
        peer (str): ``'eager'``, ``'channels_last'`` or ``'compile'``.
        x, t (numpy.ndarray): The batch.
        weights (dict): From quantized_net's names to arrays.

    """
    model = network(case.net, case.method, case.unit)
    x, t = torch.from_numpy(x), torch.from_numpy(t).long()
    if weights is not None:
        params = dict(model.named_parameters())
        with torch.no_grad():
            for path, array in weights.items():
                params.pop(torch_name(path)).copy_(torch.from_numpy(array))
        if params:
            raise ValueError('no weights for %s' % ', '.join(params))
    if peer == 'channels_last':
        model = model.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
    kwargs = {'fused': True} if case.fused else {}
    if case.optimizer == 'adam':
        optimizer = torch.optim.Adam(model.parameters(), **kwargs)
    else:
        optimizer = torch.optim.SGD(
            model.parameters(), case.lr, momentum=0.9,
            weight_decay=case.weight_decay, **kwargs)
    clipped = model.clipped() if case.net == 'mlp' else []

    def loss_function(x, t):
        return functional.cross_entropy(model(x), t)

    if peer == 'compile':
        loss_function = torch.compile(loss_function)

    def step():
        optimizer.zero_grad()
        loss = loss_function(x, t)
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for param in clipped:
                param.clamp_(-1, 1)
        return loss.item()

    return step
