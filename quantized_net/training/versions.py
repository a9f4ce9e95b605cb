"""The versions of the code and of what it runs on."""

import os
import subprocess
import sys

import chainer
import numpy

import quantized_net


def versions():
    """A dict; the commit has "-dirty" where the checkout was changed."""
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
    here = os.path.dirname(os.path.abspath(quantized_net.__file__))
    try:
        return subprocess.run(
            ['git', 'describe', '--always', '--dirty', '--abbrev=12'],
            cwd=here, check=True, capture_output=True, text=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
