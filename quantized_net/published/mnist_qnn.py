"""MNIST, 784-1000-1000-10, batch 100, 20 epochs of 60,000 images.

"Validation" is the test set, as the repositories have it.
"""

from quantized_net.published import figure

KEYS = ('main/loss', 'validation/main/loss', 'main/accuracy',
        'validation/main/accuracy')

_README = 'README of peisuke/qnn, GPU run, evaluated on batch statistics'

# A row for each epoch, from 1, in the order of KEYS.
QNN_TABLE = (
    (0.498896, 0.413862, 0.944183, 0.9693),
    (0.395025, 0.38905, 0.976715, 0.9745),
    (0.373157, 0.382003, 0.984215, 0.9738),
    (0.357318, 0.371697, 0.990015, 0.9773),
    (0.349601, 0.368348, 0.991598, 0.9786),
    (0.340391, 0.366556, 0.994482, 0.9794),
    (0.337083, 0.363402, 0.995299, 0.9787),
    (0.332844, 0.35933, 0.996549, 0.9789),
    (0.331479, 0.357395, 0.996716, 0.9801),
    (0.327898, 0.356452, 0.996949, 0.9779),
    (0.325316, 0.356169, 0.997532, 0.979),
    (0.324888, 0.353728, 0.997899, 0.9808),
    (0.322971, 0.35396, 0.998266, 0.9805),
    (0.324934, 0.35352, 0.997949, 0.9801),
    (0.32234, 0.354705, 0.998449, 0.979),
    (0.322491, 0.350558, 0.998349, 0.9806),
    (0.321024, 0.353457, 0.998649, 0.9803),
    (0.320683, 0.351302, 0.998699, 0.9813),
    (0.32054, 0.35186, 0.999116, 0.9803),
    (0.321184, 0.351329, 0.998499, 0.9806),
)

_BNN = {
    (20, 'validation/main/accuracy'): figure.Figure(
        0.9766, 'README of hillbig/binary_net (1 bit)'),
}


def find(method, epoch, key):
    """The published figure of a method after an epoch, or ``None``.

    Args:
        method (str): ``'qnn'``, ``'bnn'`` or another, which has none.
        epoch (int): From 1.
        key (str): As in the log, ``'validation/main/accuracy'``.

    Returns:
        Figure or None

    """
    if method == 'qnn' and key in KEYS and 1 <= epoch <= len(QNN_TABLE):
        return figure.Figure(
            QNN_TABLE[epoch - 1][KEYS.index(key)], _README)
    if method == 'bnn':
        return _BNN.get((epoch, key))
    return None


def mean_of_last(method, epoch, key, n=10):
    """The mean over the last n epochs of a published curve, or ``None``."""
    figures = [find(method, e, key) for e in range(epoch - n + 1, epoch + 1)]
    if None in figures:
        return None
    return figure.Figure(
        sum(f.value for f in figures) / n, figures[0].source)
