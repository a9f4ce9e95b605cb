"""BatchNormalization becomes a scale and a shift, or none at all.

With running statistics it is y = x s + t of each channel, where
s = gamma / sqrt(var + eps) and t = beta - mean s.  After a float convolution
or linear layer that nothing else uses, s and t go into its weight and bias.
After a quantized one a ``scale_shift`` stays, which takes the bias of the
layer along.  Where the result is rounded to codes before it is next summed,
a different last bit could be another code; and after sums of codes, which are
exact, it would be the only difference.  There a ``normalization`` computes as
Chainer does, (x - mean) s + beta.
"""

import collections

import numpy

from . import operations
from .network import Network
from .tensors import FloatTensor
from .tensors import PackedTensor

_ROUNDING = {'sign', 'round_to_steps', 'round_to_parts', 'round_to_powers',
             'round_to_fixed_point'}
_PASSING = {'relu', 'leaky_relu', 'clip', 'max_pooling', 'max', 'reshape',
            'transpose', 'pad', 'concat', 'multiply_constant',
            'add_constant', 'hard_sigmoid'}


def plan(network, is_packed=None):
    """What becomes of each BatchNormalization.

    Args:
        network (~quantized_net.packing.network.Network): The network.
        is_packed (callable or None): Whether the tensor of a name is packed,
            where another than ``network`` says so.

    Returns:
        dict: From the index of each ``batch_normalization`` to
        ``'weights'``, ``'scale_shift'`` or ``'normalization'``.

    """
    if is_packed is None:
        def is_packed(name):
            return isinstance(network.tensors[name], PackedTensor)
    consumers = network.consumers()
    n_uses = _n_uses(network)
    found, exact = {}, set()
    for i, step in enumerate(network.steps):
        if step.kind != 'batch_normalization':
            continue
        before = layer_before(network, i, consumers, n_uses)
        is_quantized = before is not None and is_packed(before.tensors['W'])
        if _is_rounded(network, i + 1, consumers) or (
                is_quantized and is_code(network, before.inputs[0])):
            found[i] = 'normalization'
            exact.add(step.tensors['mean'])
        elif before is not None and not is_quantized:
            found[i] = 'weights'
        else:
            found[i] = 'scale_shift'
    # one used in several places has one tensor
    for i, what in found.items():
        if what == 'scale_shift' and network.steps[i].tensors[
                'mean'] in exact:
            found[i] = 'normalization'
    return found


def layer_before(network, i, consumers=None, n_uses=None):
    """The layer whose output the i-th step alone takes, or ``None``.

    Its tensors are no other layer's.
    """
    consumers = consumers or network.consumers()
    value = network.steps[i].inputs[0]
    if value == 0 or consumers[value] != [i]:
        return None
    step = network.steps[value - 1]
    n_uses = n_uses or _n_uses(network)
    if 'W' not in step.tensors or any(
            n_uses[name] > 1 for name in step.tensors.values()):
        return None
    return step


def bias_name(step):
    """What the bias of a layer is called, also where it has none yet."""
    W = step.tensors['W']
    return step.tensors.get(
        'b', W.removesuffix('W') + 'b' if W.endswith('W') else W + '/b')


def link_name(step):
    """What the factors of a BatchNormalization are called."""
    return step.tensors['mean'].rsplit('/', 1)[0]


def fold(network):
    """A network without ``batch_normalization``.

    Args:
        network (~quantized_net.packing.network.Network): It is not changed.

    Returns:
        ~quantized_net.packing.network.Network: Of the same outputs, but for
        rounding.

    """
    planned = plan(network)
    tensors = {name: tensor for name, tensor in network.tensors.items()}
    steps = list(network.steps)
    gone = {}  # from the index of a step to the value that takes its place
    for i, what in planned.items():
        step = network.steps[i]
        mean, scale, beta = factors(step, network.tensors)
        shift = (beta.astype(float) - mean.astype(float) * scale).astype('f')
        before = step.inputs[0] - 1
        layer = layer_before(network, i)
        if what == 'normalization':
            rows = [mean, scale, beta]
        else:
            rows = [scale, shift]
            if layer is not None and 'b' in layer.tensors:
                b = network.tensors[layer.tensors['b']].values
                rows[1] = shift = (
                    shift + b.astype(float) * scale).astype('f')
        if what == 'weights':
            W = network.tensors[layer.tensors['W']].values
            W = W * scale.reshape((-1,) + (1,) * (W.ndim - 1))
            tensors[layer.tensors['W']] = FloatTensor(W)
            name = bias_name(layer)
            tensors[name] = FloatTensor(shift)
            steps[before] = layer._replace(tensors=dict(
                layer.tensors, b=name))
            gone[i] = step.inputs[0]
            continue
        if what == 'scale_shift' and layer is not None and (
                'b' in layer.tensors):
            steps[before] = layer._replace(tensors={
                'W': layer.tensors['W']})
        tensors[link_name(step)] = FloatTensor(numpy.stack(rows))
        steps[i] = operations.make(
            what, step.inputs, {'factors': link_name(step)})
    steps = _without(steps, gone)
    used = {name for step in steps for name in step.tensors.values()}
    if network.pixels is not None:
        used.add(network.pixels.get('mean'))
    return Network(network.input_shape, steps, {
        name: tensor for name, tensor in tensors.items() if name in used},
        network.pixels)


def factors(step, tensors):
    """Mean, scale and beta of a ``batch_normalization``, as Chainer has them.

    Returns:
        tuple: Three arrays of float32, shape (C,).

    """
    found = {role: tensors[name].values
             for role, name in step.tensors.items()}
    mean, var = found['mean'], found['var']
    gamma = found.get('gamma', numpy.ones_like(mean))
    beta = found.get('beta', numpy.zeros_like(mean))
    eps = operations.attributes_of(step)['eps']
    return mean, gamma / numpy.sqrt(var + numpy.float32(eps)), beta


def _n_uses(network):
    """How many operations use a tensor (collections.Counter)."""
    return collections.Counter(
        name for step in network.steps for name in step.tensors.values())


def _is_rounded(network, value, consumers):
    """Whether a value is rounded to codes before it is next summed."""
    pending = [value]
    while pending:
        for i in consumers[pending.pop()]:
            kind = network.steps[i].kind
            if kind in _ROUNDING:
                return True
            if kind in _PASSING:
                pending.append(i + 1)
    return False


def is_code(network, value):
    """Whether a value was rounded to codes."""
    while value:
        step = network.steps[value - 1]
        if step.kind in _ROUNDING:
            return True
        if step.kind not in ('max_pooling', 'max', 'reshape', 'transpose'):
            return False
        value = step.inputs[0]
    return False


def _without(steps, gone):
    """Steps without some, whose outputs others take the place of."""
    number = {0: 0}
    kept = []
    for i, step in enumerate(steps):
        if i in gone:
            number[i + 1] = number[gone[i]]
            continue
        kept.append(step._replace(
            inputs=tuple(number[value] for value in step.inputs)))
        number[i + 1] = len(kept)
    return kept
