"""Values of options, checked as they are read."""

import argparse

import numpy


def positive_int(text):
    """An option's value: a whole number from 1."""
    value = int(text) if text.lstrip('+-').isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(
            '%r is not a whole number from 1' % text)
    return value


def positive_float(text):
    """An option's value: a number above 0."""
    return _number(text, lambda value: value > 0, 'a number above 0')


def non_negative_float(text):
    """An option's value: a number from 0."""
    return _number(text, lambda value: value >= 0, 'a number from 0')


def fraction(text):
    """An option's value: a number from 0, below 1."""
    return _number(
        text, lambda value: 0 <= value < 1, 'a number from 0, below 1')


def share(text):
    """An option's value: a number from 0 to 1."""
    return _number(text, lambda value: 0 <= value <= 1, 'a number from 0 to 1')


def seed_int(text):
    """An option's value: a seed of NumPy's generator."""
    value = int(text) if text.isdigit() else -1
    if not 0 <= value < 2 ** 32:
        raise argparse.ArgumentTypeError(
            '%r is not a whole number from 0 to 2^32 - 1' % text)
    return value


def _number(text, holds, wanted):
    try:
        value = float(text)
    except ValueError:
        value = numpy.nan
    if not (numpy.isfinite(value) and holds(value)):
        raise argparse.ArgumentTypeError('%r is not %s' % (text, wanted))
    return value
