"""Weights that become quantized little by little."""

import math

from chainer.training import extension

from quantized_net import traversal

_STEEPNESS = 10.


def inverse_slope(done):
    """The inverse slope of the ramps, from 1 down to 0 on a sigmoid.

    .. math::

        s(t) = \\frac{\\sigma(a (1/2 - t)) - \\sigma(-a/2)}
                     {\\sigma(a/2) - \\sigma(-a/2)} \\qquad a = 10

    Args:
        done (float): The part t of the annealing that is done; from 1 on
            the weights are quantized.

    """
    if done >= 1:
        return 0.

    def sigmoid(x):
        return 1 / (1 + math.exp(-x))

    low, high = sigmoid(-_STEEPNESS / 2), sigmoid(_STEEPNESS / 2)
    return (sigmoid(_STEEPNESS * (.5 - done)) - low) / (high - low)


class Annealing(extension.Extension):

    """Makes the weights of a model's quantized layers harder step by step.

    Before every update it sets ``inverse_slope`` of all weight quantizers
    (:func:`inverse_slope`); it depends on nothing but the iteration, so a
    resumed run goes on as it would have.  Evaluation, reports and what is
    saved see the quantized weights always.

    Args:
        model (~chainer.Link): The model.
        n_epochs (float): How long it takes, above 0.

    .. seealso:: Jin et al. (PARQ), ICML 2025; Yin et al. (BinaryRelax),
        arXiv:1801.06313

    """

    trigger = 1, 'iteration'
    priority = extension.PRIORITY_EDITOR

    def __init__(self, model, n_epochs):
        self._model = model
        self._n_epochs = n_epochs

    def initialize(self, trainer):
        self(trainer)

    def __call__(self, trainer):
        value = inverse_slope(trainer.updater.epoch_detail / self._n_epochs)
        for _, link in traversal.quantized_layers(self._model):
            link.weight_quantizer.inverse_slope = value
