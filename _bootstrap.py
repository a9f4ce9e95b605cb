"""Finds the environment that `make` has set up.

The scripts import this first.  Where chainer can be imported it does
nothing; else it starts the script again with the Python of ``.venv``, or
says how to make one.
"""

import importlib.util
import os
import sys


def _enter():
    if importlib.util.find_spec('chainer') is not None:
        return
    here = os.path.dirname(os.path.abspath(__file__))
    python = os.path.join(here, '.venv', 'bin', 'python')
    if os.path.exists(os.path.join(here, '.venv', '.complete')) and (
            os.path.abspath(sys.prefix) != os.path.join(here, '.venv')):
        os.execv(python, [python] + sys.argv)
    sys.stderr.write(
        '%s: error: chainer is not installed; run "make setup" in %s\n'
        % (os.path.basename(sys.argv[0]), here))
    sys.exit(2)


_enter()
