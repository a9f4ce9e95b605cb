#!/usr/bin/env python3
"""Runs Chainer's own tests with our names in place of Chainer's.

    tools/chainer_tests.py CHECKOUT [GROUP ...] [-- OPTION OF PYTEST ...]

CHECKOUT is a checkout of Chainer's repository at the tag of the version that
is installed (v7.8.1); its tests are read from there, Chainer itself is the
one that is installed.  Groups are those of GROUPS, all by default.  Each is a
pytest of its own.  Where tests fail they run as they are, too: the exit
status is 1 where one fails with our names alone.

A group takes our names in one of these ways:

    as they are   not at all
    modules       in the modules of the tests
    everywhere    inside Chainer, too: its Inception, MLPConv and hooks run on
                  our functions and links
    layers        the quantized layers, without a quantizer, as Chainer's
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import types
import unittest.mock

WAYS = ['as they are', 'modules', 'everywhere', 'layers']
FUNCTIONS = ['average_pooling_2d', 'batch_normalization', 'convolution_2d',
             'fixed_batch_normalization', 'max_pooling_2d']
LINKS = ['BatchNormalization', 'Convolution2D']
OPTIMIZERS = ['Adam', 'MomentumSGD']

LINEAR = 'links_tests/connection_tests/test_linear.py'
CONVOLUTION = 'links_tests/connection_tests/test_convolution_2d.py'
GROUPS = {
    'pooling': ('modules', [
        'functions_tests/pooling_tests/test_max_pooling_2d.py',
        'functions_tests/pooling_tests/test_average_pooling_2d.py']),
    'convolution': ('modules', [
        'functions_tests/connection_tests/test_convolution_2d.py']),
    'normalization': ('modules', [
        'functions_tests/normalization_tests/test_batch_normalization.py']),
    'link-convolution': ('modules', [CONVOLUTION]),
    'link-normalization': ('modules', [
        'links_tests/normalization_tests/test_batch_normalization.py']),
    'optimizers': ('modules', ['optimizers_tests', 'optimizer_hooks_tests']),
    'layers': ('layers', [LINEAR, CONVOLUTION]),
    'links-everywhere': ('everywhere', [
        'links_tests/connection_tests', 'links_tests/normalization_tests']),
    'hooks-everywhere': ('everywhere', [
        'link_hooks_tests', 'function_hooks_tests', 'optimizer_hooks_tests']),
    'convolutions-everywhere': ('everywhere', [
        'functions_tests/connection_tests/test_convolution_2d.py',
        'functions_tests/connection_tests/test_deconvolution_2d.py',
        'functions_tests/connection_tests/test_dilated_convolution_2d.py']),
}
MARKERS = 'chainerx cudnn gpu ideep theano multi_gpu slow'.split()


class Replacing(object):

    """The plugin of pytest that puts our names in."""

    def __init__(self, way):
        import quantized_net
        import chainer
        from quantized_net import optimizers
        self._chainer = chainer
        ours = {
            'functions': {n: getattr(quantized_net.functions, n)
                          for n in FUNCTIONS},
            'links': {n: getattr(quantized_net.links, n) for n in LINKS},
            'optimizers': {n: getattr(optimizers, n) for n in OPTIMIZERS},
        } if way in ('modules', 'everywhere') else {'links': {
            'Linear': quantized_net.QuantizedLinear,
            'Convolution2D': quantized_net.QuantizedConvolution2D,
        }} if way == 'layers' else {}
        # by the identity of what stands there
        self._new = {}
        self.n_replaced = 0
        self.failed = []
        for part, names in ours.items():
            for name, new in names.items():
                old = getattr(getattr(chainer, part), name)
                self._new[id(old)] = new
                defined = sys.modules[old.__module__]
                self._new[id(defined)] = _changed(defined, {name: new})
        if way == 'everywhere':
            self._replace_inside()
        parts = {part: _changed(getattr(chainer, part), names)
                 for part, names in ours.items()}
        for part, new in parts.items():
            self._new[id(getattr(chainer, part))] = new
        if parts:
            self._new[id(chainer)] = _changed(chainer, parts)

    def _replace_inside(self):
        theirs = _changed(self._chainer.functions, {})
        for name, module in list(sys.modules.items()):
            if name.startswith('quantized_net'):
                # which goes on calling Chainer's
                for key, value in list(vars(module).items()):
                    if value is self._chainer.functions:
                        setattr(module, key, theirs)
            elif name.startswith('chainer.'):
                # where a class is defined it finds its own name
                self._replace(module, but=name)

    def pytest_configure(self, config):
        for marker in MARKERS:
            config.addinivalue_line('markers', marker)

    def pytest_pycollect_makeitem(self, collector):
        self._replace(collector.module)

    def _replace(self, module, but=None):
        for key, value in list(vars(module).items()):
            new = self._new.get(id(value))
            if new is not None and getattr(
                    value, '__module__', None) != (but or ''):
                setattr(module, key, new)
                self.n_replaced += 1

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.failed.append(report.nodeid)

    def pytest_collectreport(self, report):
        if report.failed:
            self.failed.append(report.nodeid)

    def pytest_terminal_summary(self, terminalreporter):
        terminalreporter.line('%d names replaced' % self.n_replaced)


def _changed(module, names):
    """A module like another but for some names."""
    changed = types.ModuleType(module.__name__)
    vars(changed).update(vars(module))
    vars(changed).update(names)
    return changed


def run(checkout, way, paths, options):
    """Runs tests in this process; returns the names of those that fail."""
    import pytest
    if importlib.util.find_spec('mock') is None:
        sys.modules['mock'] = unittest.mock  # once a package of its own
    tests = os.path.join(checkout, 'tests', 'chainer_tests')
    plugin = Replacing(way)
    status = pytest.main(
        ['-q', '--tb=short', '-c', os.devnull, '--rootdir', checkout,
         '-p', 'no:cacheprovider',
         '-m', ' and '.join('not ' + marker for marker in MARKERS)]
        + [os.path.join(tests, path) for path in paths] + options,
        plugins=[plugin])
    return plugin.failed or (['pytest: %s' % status] if status else [])


def run_in_child(args, name, way):
    """Runs a group in a process of its own; returns a set of names."""
    print('== %s, %s' % (name, way), flush=True)
    with tempfile.NamedTemporaryFile('r') as f:
        status = subprocess.run(
            [sys.executable, os.path.realpath(__file__), args.checkout, name,
             '--way', way, '--failed-to', f.name, '--'] + args.options
        ).returncode
        failed = json.load(f) if status in (0, 1) else ['it ended with %d'
                                                        % status]
    return set(failed)


def parse_args():
    arguments = sys.argv[1:]
    cut = arguments.index('--') if '--' in arguments else len(arguments)
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkout', metavar='CHECKOUT')
    parser.add_argument('groups', metavar='GROUP', nargs='*',
                        help='of: ' + ', '.join(GROUPS))
    parser.add_argument('--way', choices=WAYS,
                        help='instead of that of the group')
    parser.add_argument('--failed-to', help=argparse.SUPPRESS)
    args = parser.parse_args(arguments[:cut])
    args.options = arguments[cut + 1:]
    args.checkout = os.path.realpath(args.checkout)
    if not os.path.isdir(os.path.join(args.checkout, 'tests')):
        parser.error('%s has no tests: it is no checkout of Chainer'
                     % args.checkout)
    for name in args.groups:
        if name not in GROUPS:
            parser.error('there is no group %r, only: %s'
                         % (name, ', '.join(GROUPS)))
    return args


def main():
    args = parse_args()
    if args.failed_to:
        failed = run(args.checkout, args.way, GROUPS[args.groups[0]][1],
                     args.options)
        with open(args.failed_to, 'w') as f:
            json.dump(failed, f)
        return len(failed) > 0
    ours = []
    for name in args.groups or GROUPS:
        way = args.way or GROUPS[name][0]
        failed = run_in_child(args, name, way)
        if failed and way != WAYS[0]:
            failed -= run_in_child(args, name, WAYS[0])
        ours += sorted(failed)
    print('\n'.join(['%d fail with our names alone' % len(ours)] + ours))
    return len(ours) > 0


if __name__ == '__main__':
    sys.exit(main())
