"""Chainer asks that it can be imported."""
