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
    the largest value of its codebook and the magnitude of the smallest; the
    shares ``<layer>/positive``, ``/zero`` and ``/negative``;
    ``<layer>/flips``, the share of weights whose code changed since the call
    before; and ``zeros``, the share of zeros in all of them together.  A
    layer with more than 95 % zeros is named on the standard error, once.
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
            for path, link in self._layers}
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
            observation[path + '/Wp'] = float(codebook.max())
            observation[path + '/Wn'] = float(-codebook.min())
            observation[path + '/positive'] = float((values > 0).mean())
            observation[path + '/zero'] = zeros / W.size
            observation[path + '/negative'] = float((values < 0).mean())
            observation[path + '/flips'] = float(
                (codes != self._codes[path]).mean())
            self._codes[path] = codes
            if zeros > .95 * W.size and path not in self._warned:
                self._warned.add(path)
                sys.stderr.write(
                    'warning: %.1f %% of the weights of %s are zero\n'
                    % (100 * zeros / W.size, path))
        if n_weights:
            observation['zeros'] = n_zeros / n_weights
        chainer.report(observation)

    def serialize(self, serializer):
        for path, link in self._layers:
            codes = backend.CpuDevice().send(self._codes[path])
            self._codes[path] = link.device.send(
                serializer('codes/' + path, codes))
