"""Another method for each layer, as a file says."""

import argparse

from quantized_net import errors
from quantized_net import extensions
from quantized_net import methods
from quantized_net.methods import method
from quantized_net.training import layer_file


class Mixed(method.Method):

    """What ``--layers`` says of each layer.

    When to choose it: some layers bear fewer bits than others.  The first
    pattern that matches a layer counts, and what none matches stays float.
    The run keeps what the file said in its options, so a resumed run is
    checked against it.

    """

    name = 'mixed'
    title = 'another method for each layer, as --layers FILE says'
    starts_from_float = True
    mixes = False
    columns = ('zeros',)

    def add_options(self, group):
        group.add_argument(
            '--layers', type=layer_file.read, metavar='FILE',
            help='toml of patterns of layers with their method and its '
            'options ([layers."conv*"], method = "inq", bits = 4), or '
            'args.json of a run that had one')

    def check(self, args):
        if args.layers is None:
            raise errors.UserError('--method mixed needs --layers FILE')
        for _, its_method, its_args in self._parts(args):
            its_method.check(its_args)

    def rule(self, args, model):
        return {
            pattern: its_method.rule(its_args, model)
            if its_method.quantizes else None
            for pattern, its_method, its_args in self._parts(args)}

    def restarts(self, args):
        return sorted({start for _, its_method, its_args in self._parts(args)
                       for start in its_method.restarts(its_args)})

    def set_up(self, optimizer, args):
        super(Mixed, self).set_up(optimizer, args)
        seen = set()
        for _, its_method, its_args in self._parts(args):
            its_args.clip = 'none'  # that of all is done
            if its_method.name not in seen:
                seen.add(its_method.name)
                its_method.set_up(optimizer, its_args)

    def extensions(self, model, title, args):
        found = {extensions.TernaryReport: extensions.TernaryReport(model)}
        for _, its_method, its_args in self._parts(args):
            for extension in its_method.extensions(model, title, its_args):
                found.setdefault(type(extension), extension)
        return list(found.values())

    @staticmethod
    def _parts(args):
        """Patterns, their methods, and the options of these."""
        found = []
        for pattern, table in args.layers or ():
            its_method = methods.get(table['method'])
            if not (its_method.mixes or not its_method.quantizes):
                raise errors.UserError(
                    'layers %s: --method %s is for a whole network'
                    % (pattern, its_method.name))
            parser = _Parser(pattern, its_method)
            found.append((pattern, its_method, argparse.Namespace(**{
                **vars(args),
                **vars(parser.parse_args(layer_file.to_argv(table)))})))
        return found


class _Parser(argparse.ArgumentParser):

    def __init__(self, pattern, its_method):
        super(_Parser, self).__init__(add_help=False, allow_abbrev=False)
        self._pattern = pattern
        its_method.add_options(self)

    def error(self, message):
        raise errors.UserError('layers %s: %s' % (self._pattern, message))
