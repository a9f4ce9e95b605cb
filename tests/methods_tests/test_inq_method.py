"""The steps of INQ, as the method's options share them out."""

import argparse

import pytest

from quantized_net import errors
from quantized_net import methods
from quantized_net.training import schedules


def options_of(**values):
    options = methods.get('inq').default_options()
    vars(options).update({'epoch': 12}, **values)
    return options


def steps(options):
    extension, = methods.get('inq').extensions(_Model(), '', options)
    return extension._steps


class _Model(object):

    def children(self):
        return ()


@pytest.mark.parametrize('values,expected', [
    ({}, [(0, .5), (4, .75), (8, .875), (12, 1)]),
    ({'tail': 3}, [(0, .5), (3, .75), (6, .875), (9, 1)]),
    ({'portions': [1.]}, [(0, 1)]),
    ({'portions': [.5, 1.], 'bits': 2}, [(0, .5), (12, 1)])])
def test_the_epochs_are_shared_out(values, expected):
    assert steps(options_of(**values)) == expected


def test_portions_of_the_paper():
    assert [portion for _, portion in steps(options_of(bits=2))] == [
        .2, .4, .6, .7, .8, .85, .9, .95, .975, 1]
    assert [portion for _, portion in steps(options_of(bits=4))] == [
        .3, .5, .8, .9, .95, 1]


@pytest.mark.parametrize('values,message', [
    ({'portions': [.5, .9]}, 'the last is 1'),
    ({'portions': [.9, .5, 1]}, 'they grow'), ({'bits': 1}, 'bits'),
    ({'anneal': .5}, '--anneal'), ({'tail': 12}, '--tail')])
def test_what_it_refuses(values, message):
    with pytest.raises(errors.UserError, match=message):
        methods.get('inq').check(options_of(**values))


def test_the_rate_begins_anew():
    options = argparse.Namespace(
        lr=.1, schedule='linear', drops=None, epoch=12)
    starts = methods.get('inq').restarts(options_of())
    assert starts == [0, 4, 8]
    rate = schedules.from_options(options, starts)
    assert [rate(e) for e in (0, 2, 4, 6, 8, 11)] == pytest.approx(
        [.1, .05, .1, .05, .1, .025])
    options.schedule, options.drops = 'steps', [2]
    rate = schedules.from_options(options, starts)
    assert [rate(e) for e in (1, 3, 5, 7)] == pytest.approx(
        [.1, .01, .1, .01])
    # as before, where nothing begins anew
    options.schedule = 'linear'
    assert schedules.from_options(options)(6) == pytest.approx(.05)
