"""The versions of the code and of what it runs on."""

import os
import subprocess
import sys

import chainer
import numpy

import quantized_net


def versions():
    """A dict; the commit has "-dirty" where code of the checkout was changed.

    A new run under results/ is no such change.
    """
    found = {
        'python': sys.version.split()[0],
        'numpy': numpy.__version__,
        'chainer': chainer.__version__,
        'quantized_net': quantized_net.__version__,
        'commit': _commit(),
    }
    if chainer.backends.cuda.available:
        found['cupy'] = chainer.backends.cuda.cupy.__version__
    return found


def _commit():
    """The commit of the checkout, or None where there is none."""
    try:
        commit = _git('describe', '--always', '--abbrev=12')
        changed = _git('status', '--porcelain', '--untracked-files=no', '--',
                       '.', ':(exclude)results')
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + '-dirty' * bool(changed)


def _git(*args):
    root = os.path.dirname(os.path.dirname(
        os.path.abspath(quantized_net.__file__)))
    return subprocess.run(
        ['git', *args], cwd=root, check=True, capture_output=True, text=True,
    ).stdout.strip()
