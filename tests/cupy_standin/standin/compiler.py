"""Compiles C++ for the host, once: the results stay in a folder.

CUPY_STANDIN_CACHE names the folder, CUPY_STANDIN_CXX the compiler.  With
CUPY_STANDIN_SANITIZE=1 AddressSanitizer and UndefinedBehaviorSanitizer watch
the kernels; Python has to be started with their libraries in LD_PRELOAD.
"""

import ctypes
import functools
import glob
import hashlib
import os
import subprocess
import tempfile

_HERE = os.path.dirname(os.path.abspath(__file__))
# float results as written: no fused operations
_FLAGS = ['-std=c++17', '-O2', '-shared', '-fPIC', '-fno-strict-aliasing',
          '-ffp-contract=off', '-w', '-I', _HERE]
_SANITIZERS = ['-g', '-fsanitize=address,undefined',
               '-fno-sanitize-recover=undefined']


class CompileException(Exception):

    """What the compiler said, and the source."""


def _folder():
    return os.environ.get('CUPY_STANDIN_CACHE', os.path.join(
        tempfile.gettempdir(), 'cupy-standin-%d' % os.getuid()))


def _command():
    sanitizers = _SANITIZERS if os.environ.get(
        'CUPY_STANDIN_SANITIZE') == '1' else []
    return [os.environ.get('CUPY_STANDIN_CXX', 'c++')] + _FLAGS + sanitizers


@functools.lru_cache(None)
def _headers():
    texts = []
    for path in sorted(glob.glob(os.path.join(_HERE, '*.h'))):
        with open(path) as f:
            texts.append(f.read())
    return ''.join(texts)


def compile(source, name):
    """Returns the library that a source makes (ctypes.CDLL).

    Raises:
        CompileException: Where the compiler refuses it.

    """
    command = _command()
    key = hashlib.sha256(
        '\0'.join(command + [_headers(), source]).encode()).hexdigest()[:24]
    path = os.path.join(_folder(), '%s-%s.so' % (name, key))
    if not os.path.exists(path):
        os.makedirs(_folder(), exist_ok=True)
        scratch = '%s.%d' % (path, os.getpid())
        result = subprocess.run(
            command + ['-x', 'c++', '-', '-o', scratch], input=source,
            stderr=subprocess.PIPE, text=True)
        if result.returncode:
            raise CompileException('%s\n%s' % (result.stderr, source))
        os.replace(scratch, path)
    return ctypes.CDLL(path)
