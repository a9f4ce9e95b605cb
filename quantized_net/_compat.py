"""Makes Chainer 7.8.1 run on today's Python, NumPy and CuPy.

Chainer's last release is of January 2022.  This module restores the names
that it needs and that NumPy, CuPy and setuptools no longer have.  It edits
no file, each patch does nothing where its name still exists, and it is the
only module of the package that patches anything.

Import order: ``import quantized_net`` first always works.  ``import chainer``
first works with NumPy 1; with NumPy 2 it is Chainer itself that fails
("np.sctypes was removed"), and importing quantized_net after that repairs
it.
"""

import builtins
import functools
import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import multiprocessing
import re
import sys
import types
import warnings

import numpy

# The newest releases that this was tried with.
_PYTHON, _NUMPY = (3, 15), (2, 5)

_installed = False


def install():
    """Imports Chainer and patches it; the second call does nothing."""
    global _installed
    if _installed:
        return
    chainer = _import_chainer()
    _patch_as_strided()
    _patch_resize_images()
    _patch_categorical()
    _patch_padding()
    _patch_summary(chainer)
    _patch_deconvolution()
    _patch_cuda(chainer.backends.cuda)
    sys.meta_path.insert(0, _Finder('chainer.testing', _import_testing))
    sys.meta_path.insert(0, _Finder(
        'chainermn.iterators.multi_node_iterator',
        _import_multi_node_iterator))
    _preload_in_forkserver()
    _silence_iterator()
    _installed = True


def untried():
    """What is newer than this was tried with, in a line, or ``None``."""
    found = []
    if sys.version_info[:2] > _PYTHON:
        found.append('Python %d.%d' % sys.version_info[:2])
    if tuple(map(int, numpy.__version__.split('.')[:2])) > _NUMPY:
        found.append('NumPy %s' % numpy.__version__)
    if not found:
        return None
    return ('%s: newer than what this version of quantized_net was tried '
            'with, Python %d.%d and NumPy %d.%d' % (
                ' and '.join(found), *_PYTHON, *_NUMPY))


# Importing ---------------------------------------------------------------

def _import_chainer():
    if 'chainer' not in sys.modules:
        # what is left of an import that failed for want of these patches
        for name in [n for n in sys.modules if n.startswith('chainer.')]:
            del sys.modules[name]
    with warnings.catch_warnings(), _sctypes():
        # Python 3.12: invalid escape sequences in docstrings of Chainer
        warnings.filterwarnings(
            'ignore', r'.*invalid escape sequence', SyntaxWarning)
        warnings.filterwarnings(
            'ignore', r'.*invalid escape sequence', DeprecationWarning)
        # CuPy 14 has no cuDNN module; chainer.backends.cuda goes on without
        warnings.filterwarnings('ignore', r'cuDNN is not enabled')
        # chainer._environment_check wants pkg_resources (setuptools 81) and
        # numpy.distutils (Python 3.12) for two checks that only warn
        sys.modules.setdefault('chainer._environment_check', _module(
            'chainer._environment_check', check=lambda: None))
        return importlib.import_module('chainer')


class _sctypes(object):

    """numpy.sctypes, gone since NumPy 2.0, while Chainer is imported.

    Used by chainer.functions.array.as_strided at its import.
    """

    value = {
        'int': [numpy.int8, numpy.int16, numpy.int32, numpy.int64],
        'uint': [numpy.uint8, numpy.uint16, numpy.uint32, numpy.uint64],
        'float': [numpy.float16, numpy.float32, numpy.float64,
                  numpy.longdouble],
        'complex': [numpy.complex64, numpy.complex128, numpy.clongdouble],
        'others': [bool, object, bytes, str, numpy.void],
    }

    def __enter__(self):
        self.is_needed = not hasattr(numpy, 'sctypes')
        if self.is_needed:
            numpy.sctypes = self.value

    def __exit__(self, *exc_info):
        if self.is_needed:
            del numpy.sctypes


class _pkg_resources(object):

    """pkg_resources, gone since setuptools 81, for chainer.testing.

    Used there are WorkingSet and ResolutionError.
    """

    def __enter__(self):
        self.previous = sys.modules.get('pkg_resources')
        if self.previous is None:
            sys.modules['pkg_resources'] = _module(
                'pkg_resources', WorkingSet=_WorkingSet,
                ResolutionError=_ResolutionError)

    def __exit__(self, *exc_info):
        if self.previous is None:
            del sys.modules['pkg_resources']


class _ResolutionError(Exception):
    pass


class _WorkingSet(object):

    def require(self, *requirements):
        for requirement in requirements:
            name, version = re.match(
                r'\s*([\w.\-]+)\s*(.*)', requirement).groups()
            try:
                have = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                raise _ResolutionError(requirement)
            if version:
                from packaging import specifiers
                if not specifiers.SpecifierSet(version).contains(
                        have, prereleases=True):
                    raise _ResolutionError(
                        '%s (there is %s)' % (requirement, have))


# NumPy -------------------------------------------------------------------

def _patch_as_strided():
    """numpy.sctypes again, in AsStridedGrad.forward (NumPy 2.0)."""
    if not hasattr(numpy, 'sctypes'):
        cls = importlib.import_module(
            'chainer.functions.array.as_strided').AsStridedGrad
        cls.forward = _with_numpy(
            cls.forward, 'np', sctypes=_sctypes.value)


def _patch_resize_images():
    """numpy.float in resize_images (NumPy 1.24)."""
    if 'float' not in numpy.__dict__:
        module = importlib.import_module(
            'chainer.functions.array.resize_images')
        module.compute_indices_and_weights = _with_numpy(
            module.compute_indices_and_weights, 'numpy', float=float)


def _patch_categorical():
    """numpy.meshgrid returns a tuple in Categorical.log_prob (NumPy 2.0)."""
    if isinstance(numpy.meshgrid([0]), tuple):
        cls = importlib.import_module(
            'chainer.distributions.categorical').Categorical
        cls.log_prob = _with_numpy(
            cls.log_prob, 'numpy',
            meshgrid=lambda *a, **k: list(numpy.meshgrid(*a, **k)))


def _patch_padding():
    """numpy.maximum(a, b, out) by position is deprecated (NumPy 2.4).

    Used by chainer.dataset.convert._concat_arrays_with_padding.
    """
    module = importlib.import_module('chainer.dataset.convert')
    module._concat_arrays_with_padding = _with_numpy(
        module._concat_arrays_with_padding, 'numpy',
        maximum=lambda a, b, out=None: numpy.maximum(a, b, out=out))


def _patch_summary(chainer):
    """0.0 + float32 stays float32 in reporter.Summary (NumPy 2.0, NEP 50).

    Averages of LogReport and Evaluator would lose precision, and those of
    float16 become 0 or infinite.
    """
    if (0.0 + numpy.float32(0)).dtype == numpy.float64:
        return
    add = chainer.reporter.Summary.add

    @functools.wraps(add)
    def add_in_float64(self, value, weight=1):
        dtype = getattr(value, 'dtype', None)
        if (dtype is not None and dtype.kind == 'f' and dtype.itemsize < 8
                and hasattr(value, 'astype')):
            value = value.astype(numpy.float64)
        return add(self, value, weight)

    chainer.reporter.Summary.add = add_in_float64


def _patch_deconvolution():
    """A bug of Chainer 7.8.1 on every NumPy, mended later in its git.

    Deconvolution2DFunction._set_cover_all takes arrays, but is given shapes
    when only the gradient of W is wanted.
    """
    cls = importlib.import_module(
        'chainer.functions.connection.deconvolution_2d'
    ).Deconvolution2DFunction
    set_cover_all = cls._set_cover_all
    cls._set_cover_all = lambda self, x, W: set_cover_all(
        self, getattr(x, 'shape', x), getattr(W, 'shape', W))


# CuPy --------------------------------------------------------------------

def _patch_cuda(cuda):
    """CuPy 14: no cuDNN module, and no float16 in its common header."""
    if not cuda.available:
        return
    cuda.check_cuda_available._already_warned = True
    if cuda._cupy_major >= 14:
        cuda.elementwise = _include_float16(cuda.elementwise)
        cuda.raw = _include_half(cuda.raw)


def _include_float16(elementwise):
    """For chainer.backends.cuda.elementwise, where the code names float16."""
    @functools.wraps(elementwise)
    def wrapper(in_params, out_params, operation, name, **kwargs):
        if 'float16' in operation:
            kwargs['preamble'] = '#include <cupy/float16.cuh>\n' + kwargs.get(
                'preamble', '')
        if name == 'negative_sampling_calculate_gw':
            # float16 times float is no longer narrowed by itself
            operation = operation.replace(
                'gi * x[(i / m) * c + j]', '(T)(gi * x[(i / m) * c + j])')
        return elementwise(in_params, out_params, operation, name, **kwargs)
    return wrapper


def _include_half(raw):
    """For chainer.backends.cuda.raw, where the code names half."""
    @functools.wraps(raw)
    def wrapper(code, name, *args, **kwargs):
        if 'half' in code and 'cuda_fp16.h' not in code:
            code = '#include <cuda_fp16.h>\n' + code
        return raw(code, name, *args, **kwargs)
    return wrapper


# Others ------------------------------------------------------------------

class _Finder(importlib.abc.MetaPathFinder):

    """Patches a module when it is imported, since not everybody does.

    Args:
        name (str): Of the module.
        run (callable): Does what importing it does, with the patch:
            ``run(exec_module, module)``.

    """

    def __init__(self, name, run):
        self._name = name
        self._run = run

    def find_spec(self, fullname, path=None, target=None):
        if fullname != self._name:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is not None:
            spec.loader.exec_module = functools.partial(
                self._run, spec.loader.exec_module)
        return spec


def _import_testing(exec_module, module):
    """Chainer's testing imports pytest, too."""
    with warnings.catch_warnings(), _pkg_resources():
        warnings.filterwarnings('ignore', category=SyntaxWarning)
        warnings.filterwarnings(
            'ignore', r'.*invalid escape sequence', DeprecationWarning)
        exec_module(module)


def _import_multi_node_iterator(exec_module, module):
    """int() of an array of one element (an error since NumPy 2.4).

    The module needs MPI.
    """
    exec_module(module)
    module.int = lambda value: builtins.int(numpy.asarray(value).item())


def _preload_in_forkserver():
    """MultiprocessIterator: a server that forks must have the patches.

    A child would import Chainer unpatched when it unpickles its first object
    and die, and its parent would wait.  ``fork`` needs nothing.
    """
    if 'forkserver' in multiprocessing.get_all_start_methods():
        from multiprocessing import forkserver
        # what the user has asked for stays; only the default is private
        names = list(getattr(
            forkserver._forkserver, '_preload_modules', ['__main__']))
        if 'quantized_net' not in names:
            multiprocessing.set_forkserver_preload([*names, 'quantized_net'])


def _silence_iterator():
    """Thread.setDaemon is deprecated (Python 3.10).

    Used by chainer.iterators.multiprocess_iterator.
    """
    warnings.filterwarnings(
        'ignore', r'setDaemon\(\) is deprecated', DeprecationWarning,
        r'chainer\.iterators\.multiprocess_iterator')


# Tools -------------------------------------------------------------------

def _module(name, **attributes):
    module = types.ModuleType(name)
    module.__dict__.update(attributes)
    return module


class _PatchedNumPy(types.ModuleType):

    """NumPy with a few names of its own."""

    def __getattr__(self, name):
        return getattr(numpy, name)


def _with_numpy(function, global_name, **names):
    """A copy of a function that sees another numpy in its globals.

    Only that function: a module's numpy as a whole must stay, since Chainer
    asks ``xp is numpy`` in many places.
    """
    patched = _PatchedNumPy('numpy')
    patched.__dict__.update(names)
    namespace = dict(function.__globals__)
    namespace[global_name] = patched
    copy = types.FunctionType(
        function.__code__, namespace, function.__name__,
        function.__defaults__, function.__closure__)
    copy.__kwdefaults__ = function.__kwdefaults__
    return functools.update_wrapper(copy, function)
