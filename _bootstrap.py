"""Finds the environment that ``make`` has set up.

A script of this folder says ``import _bootstrap`` before all else.  Where
chainer can be imported that does nothing; else it starts the script again
with the Python of ``.venv``, or says in one line how to make one.  It needs
the standard library only, of any Python 3.
"""

import importlib.util
import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
ONCE = 'QUANTIZED_NET_BOOTSTRAPPED'


def _main_is_ours():
    main = getattr(sys.modules['__main__'], '__file__', None)
    return main is not None and os.path.dirname(os.path.realpath(main)) == HERE


def _enter():
    tried = os.environ.pop(ONCE, None)
    if importlib.util.find_spec('chainer') is not None or not _main_is_ours():
        return
    venv = os.path.join(HERE, '.venv')
    python = os.path.join(venv, 'bin', 'python')
    half_made = os.path.exists(os.path.join(venv, '.incomplete'))
    if os.access(python, os.X_OK) and not half_made and not tried:
        os.environ[ONCE] = '1'
        os.execv(python, [python] + sys.argv)
    sys.stderr.write(
        '%s: error: chainer is not installed; run "make setup" in %s\n'
        % (os.path.basename(sys.argv[0]), HERE))
    sys.exit(2)


_enter()
