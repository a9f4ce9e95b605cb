"""MNIST with a small convolutional network, float and ternary (PyTorch).

Two float epochs, then two ternary ones, Adam, batch 100.  "Published" is the
best of the looks that the README of vinsis/ternary-quantization reports;
"re-run" the last value of its own script on a current PyTorch.
"""

from quantized_net.published import figure

_README = 'README of vinsis/ternary-quantization, best of its looks'
_RERUN = 'its script, re-run on a current PyTorch, last epoch'

PUBLISHED = {
    'float': figure.Figure(0.988, _README),
    'ternary': figure.Figure(0.9852, _README),
}

RERUN = {
    'float': figure.Figure(0.9853, _RERUN),
    'ternary': figure.Figure(0.9809, _RERUN),
}
