"""Predictions of a packed network, with NumPy alone: no Chainer needed."""

from .load import load_packed
from .predictor import Predictor

__all__ = ['Predictor', 'load_packed']
