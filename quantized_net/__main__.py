"""Small files of trained networks, and predictions of them."""

import argparse
import sys

from quantized_net import __version__
from quantized_net.commands import export
from quantized_net.commands import inspect
from quantized_net.commands import pack
from quantized_net.commands import predict
from quantized_net.commands import summary
from quantized_net.training import run

COMMANDS = summary, pack, inspect, predict, export

PROGRAM = 'python -m quantized_net'


def make_parser():
    parser = argparse.ArgumentParser(
        prog=PROGRAM, description=__doc__, epilog=_examples(
            line for command in COMMANDS for line in command.EXAMPLES[:1]),
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--version', action='version', version=__version__)
    commands = parser.add_subparsers(
        dest='command', metavar='COMMAND', required=True)
    for command in COMMANDS:
        added = commands.add_parser(
            command.NAME, help=command.HELP,
            description=command.HELP[0].upper() + command.HELP[1:] + '.',
            epilog=_examples(command.EXAMPLES),
            formatter_class=argparse.RawDescriptionHelpFormatter)
        command.add_arguments(added)
        added.set_defaults(run=command.run)
    return parser


def _examples(lines):
    return '\n'.join(['examples:'] + [
        '  %s %s' % (PROGRAM, line) for line in lines])


def main():
    args = make_parser().parse_args()
    args.run(args)


def script():
    """The console script."""
    sys.argv[0] = 'quantized_net'  # for the messages
    run.script(main)


if __name__ == '__main__':
    script()
