"""Scales, shares and flips of the quantized weights, epoch by epoch."""

import sys

import chainer
from chainer import backend
from chainer.training import extension

from quantized_net import quantizers
from quantized_net import traversal


class TernaryReport(extension.Extension):

    """Reports what became of the quantized weights.

    For each layer with a weight quantizer: ``<layer>/Wp`` and ``<layer>/Wn``,
    its scales with their signs (the largest, where each filter has its own; of
    a quantizer without scales, the largest value of its codebook and the
    magnitude of the smallest); the shares ``<layer>/positive``, ``/zero`` and
    ``/negative``; ``<layer>/flips``, the share of weights whose code changed
    since the call before (not at the first one of a lazily initialized layer);
    and ``zeros``, the share of zeros in all of them together. A layer with
    more than 95 % zeros, or with a scale below 0, is named on the standard
    error, once.
    Nothing is written to the model.

    Args:
        model (~chainer.Link): The model.

    """

    trigger = 1, 'epoch'
    priority = extension.PRIORITY_WRITER

    def __init__(self, model):
        self._layers = traversal.quantized_layers(model)
        self._codes = {
            path: link.weight_quantizer.encode(link.W.array)[0]
            for path, link in self._layers if link.W.array is not None}
        self._warned = set()

    def __call__(self, trainer):
        n_zeros = n_weights = 0
        observation = {}
        for path, link in self._layers:
            W = link.W.array
            codes, codebook = link.weight_quantizer.encode(W)
            values = quantizers.decode(codes, codebook)
            zeros = int((values == 0).sum())
            n_zeros += zeros
            n_weights += W.size
            scales = link.weight_quantizer.scales(W)
            if scales is None:
                scales = quantizers.values_of(codebook)
                scales = scales, -scales
            for name, scale in zip(('Wp', 'Wn'), scales):
                observation['%s/%s' % (path, name)] = float(scale.max())
                if float(scale.max()) < 0:
                    self._warn((path, name), (
                        '%s of %s is negative: %.4f; its weights have the '
                        'other sign' % (name, path, float(scale.max()))))
            observation[path + '/positive'] = float((values > 0).mean())
            observation[path + '/zero'] = zeros / W.size
            observation[path + '/negative'] = float((values < 0).mean())
            if path in self._codes:
                observation[path + '/flips'] = float(
                    (codes != self._codes[path]).mean())
            self._codes[path] = codes
            if zeros > .95 * W.size:
                self._warn((path, 'zeros'), (
                    '%.1f %% of the weights of %s are zero' % (
                        100 * zeros / W.size, path)))
        if n_weights:
            observation['zeros'] = n_zeros / n_weights
        chainer.report(observation)

    def _warn(self, matter, text):
        if matter not in self._warned:
            self._warned.add(matter)
            sys.stderr.write('warning: %s\n' % text)

    def serialize(self, serializer):
        for path, link in self._layers:
            if path not in self._codes:  # its size is not known yet
                continue
            codes = backend.CpuDevice().send(self._codes[path])
            self._codes[path] = link.device.send(
                serializer('codes/' + path, codes))
