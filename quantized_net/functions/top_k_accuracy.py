"""The accuracy of the k largest logits."""

import chainer
from chainer import backend


def top_k_accuracy(y, t, k=5):
    """The share of examples with fewer than k logits above the label's.

    Logits that are equal to it count for it; a NaN is never right.  It has
    no gradient.

    Args:
        y (~chainer.Variable): Logits, shape (N, C).
        t (~chainer.Variable): Labels, int32, shape (N,).
        k (int): From 1.

    Returns:
        ~chainer.Variable: Shape ().

    """
    y, t = [getattr(a, 'array', a) for a in (y, t)]
    xp = backend.get_array_module(y)
    own = y[xp.arange(len(t)), t][:, None]
    is_right = ((y > own).sum(axis=1) < k) & (own == own)[:, 0]
    return chainer.Variable(xp.asarray(is_right.mean(dtype=y.dtype)))
