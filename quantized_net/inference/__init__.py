"""Predictions of a packed network, with NumPy alone: no Chainer needed."""

from .predictor import Predictor

__all__ = ['Predictor']
