"""CIFAR-10 with pre-activation ResNets, float and ternary (TTQ).

Errors in percent on the test set, which the sources call validation.  The
published ones had 400 epochs of about two passes each, at a batch of 256;
that of TTQ ResNet-20 is, by its authors' log, the least value of a moving
average over 20 epochs (8.865); the log ends at 9.25, and its last ten epochs
have the mean 9.15.
"""

import csv
import os

from quantized_net.published import figure

_README = 'README of czhu95/ternarynet (arXiv:1612.01064, table 1)'

ERRORS = {
    ('float', 'resnet20'): figure.Figure(8.23, _README),
    ('float', 'resnet32'): figure.Figure(7.67, _README),
    ('float', 'resnet44'): figure.Figure(7.18, _README),
    ('float', 'resnet56'): figure.Figure(6.80, _README),
    ('ttq', 'resnet20'): figure.Figure(8.87, _README),
    ('ttq', 'resnet32'): figure.Figure(7.63, _README),
    ('ttq', 'resnet44'): figure.Figure(7.02, _README),
    ('ttq', 'resnet56'): figure.Figure(6.44, _README),
}

LOG_SOURCE = ('cifar10-resnet-20-finetune.log of czhu95/ternarynet; an epoch '
              'is two passes over the data')

PASSES_PER_EPOCH = 2


def read_log():
    """The authors' log of TTQ ResNet-20: a dict for each of 400 epochs.

    Keys: ``epoch``, ``learning_rate``, ``validation_error``,
    ``train_error``, ``cross_entropy_loss`` (of training), and Wp and Wn of
    the three layers of the paper's figure 2, as ``linear/Wp``.
    """
    path = os.path.join(os.path.dirname(__file__), 'ttq_resnet20_log.csv')
    with open(path, newline='') as f:
        return [{key: float(value) for key, value in row.items()}
                for row in csv.DictReader(f)]
