"""Finds the environment that ``make`` has set up.

A script of this folder says ``import _bootstrap`` before all else.  Where
chainer can be imported that does nothing; else it starts the script again
with the Python of ``.venv``, or says in one line how to make one.  Then it
settles the process, before NumPy is imported, and lets the imports that
follow end in one line.  It needs the standard library only, of any Python 3.
"""

import importlib.util
import os
import runpy
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
ONCE = 'QUANTIZED_NET_BOOTSTRAPPED'


def _main_is_ours():
    main = getattr(sys.modules['__main__'], '__file__', None)
    return main is not None and os.path.dirname(os.path.realpath(main)) == HERE


def _say(message, status):
    try:
        print('%s: %s' % (os.path.basename(sys.argv[0]),
                          ' '.join(message.split())), file=sys.stderr)
    except OSError:  # the status says it, too
        pass
    sys.exit(status)


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
    _say('error: chainer is not installed; run "make setup" in %s' % HERE, 2)


def _end_in_a_line(kind, error, traceback):
    """For the imports; run.script does so from there on."""
    if issubclass(kind, KeyboardInterrupt):
        _say('interrupted', 130)
    if issubclass(kind, (TypeError, ValueError)):
        # what Chainer and Matplotlib raise for variables of the environment
        _say('error: %s' % error, 2)
    sys.__excepthook__(kind, error, traceback)


_enter()
if _main_is_ours():
    sys.excepthook = _end_in_a_line
    runpy.run_path(os.path.join(HERE, 'quantized_net', '_process.py'))[
        'settle_process']()
