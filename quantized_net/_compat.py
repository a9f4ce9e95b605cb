"""Import this before ``chainer``: makes Chainer 7.8.1 work on NumPy 1.26-2.5, Python 3.11-3.13, CuPy 12-14.

No Chainer file is edited.  Every patch is a no-op where it is not needed.
"""
import builtins
import importlib
import sys
import types
import warnings

import numpy as np

_done = False


class _NumpyProxy(types.ModuleType):
    """``numpy`` plus a few names."""

    def __init__(self, **extra):
        super().__init__('numpy')
        self.__dict__.update(extra)

    def __getattr__(self, name):
        return getattr(np, name)


def _rebind(func, **names):
    """A copy of ``func`` that sees other globals.  (Replacing a module's ``numpy`` itself would
    break Chainer's many ``xp is numpy`` tests, so only the functions concerned see the proxy.)"""
    g = types.FunctionType(func.__code__, dict(func.__globals__, **names), func.__name__,
                           func.__defaults__, func.__closure__)
    g.__kwdefaults__, g.__doc__ = func.__kwdefaults__, func.__doc__
    g.__module__, g.__qualname__ = func.__module__, func.__qualname__
    return g


def _stub(name, **attrs):
    m = types.ModuleType(name)
    m.__dict__.update(attrs)
    return m


def _sctypes():
    return {'int': [np.int8, np.int16, np.int32, np.int64],
            'uint': [np.uint8, np.uint16, np.uint32, np.uint64],
            'float': [np.float16, np.float32, np.float64, np.longdouble],
            'complex': [np.complex64, np.complex128, np.clongdouble],
            'others': [bool, object, bytes, str, np.void]}


def _fake_pkg_resources():
    """The two names chainer.testing needs (WorkingSet().require, ResolutionError)."""
    from importlib import metadata
    import re

    class ResolutionError(Exception):
        pass

    class WorkingSet(object):
        def require(self, *reqs):
            for r in reqs:
                m = re.match(r'\s*([\w.\-]+)\s*(.*)', r)
                try:
                    have = metadata.version(m.group(1))
                except metadata.PackageNotFoundError:
                    raise ResolutionError(r)
                if m.group(2):
                    from packaging.specifiers import SpecifierSet  # only with a version range
                    if not SpecifierSet(m.group(2)).contains(have, prereleases=True):
                        raise ResolutionError('%s (have %s)' % (r, have))

    return _stub('pkg_resources', WorkingSet=WorkingSet, ResolutionError=ResolutionError)


def _import_chainer():
    # (1) chainer._environment_check imports pkg_resources and numpy.distutils; it only warns.
    sys.modules.setdefault('chainer._environment_check',
                           _stub('chainer._environment_check', check=lambda: None))
    # (2) np.sctypes (removed in NumPy 2) is read while chainer is imported.
    had = 'sctypes' in np.__dict__ or hasattr(np, 'sctypes')
    if not had:
        np.sctypes = _sctypes()
    # (3) chainer.testing (hence chainer.gradient_check) imports pkg_resources.
    saved = sys.modules.get('pkg_resources')
    sys.modules['pkg_resources'] = _fake_pkg_resources()
    try:
        with warnings.catch_warnings():
            # (9) CuPy 14 has no cuDNN: chainer warns about it once, while it is imported.
            warnings.filterwarnings('ignore', message='cuDNN is not enabled')
            warnings.filterwarnings('ignore', message=r'\s*nccl library could not be loaded')
            import chainer
            import chainer.testing  # NOQA
            import chainer.gradient_check  # NOQA
    finally:
        if saved is not None:
            sys.modules['pkg_resources'] = saved
        else:
            del sys.modules['pkg_resources']
        if not had:
            del np.sctypes
    return chainer


def _mod(name):
    return importlib.import_module(name)


def _patch_cpu(chainer):
    # (2b) np.sctypes is read again at run time in AsStridedGrad.forward.
    A = _mod('chainer.functions.array.as_strided').AsStridedGrad
    A.forward = _rebind(A.forward, np=_NumpyProxy(sctypes=_sctypes()))
    # (4) numpy.float (removed in 1.24) in F.resize_images.
    m = _mod('chainer.functions.array.resize_images')
    m.compute_indices_and_weights = _rebind(
        m.compute_indices_and_weights, numpy=_NumpyProxy(float=builtins.float))
    # (5) numpy.meshgrid returns a tuple in NumPy 2; Categorical.log_prob does list + list.
    C = _mod('chainer.distributions.categorical').Categorical
    C.log_prob = _rebind(C.log_prob, numpy=_NumpyProxy(
        meshgrid=lambda *a, **k: list(np.meshgrid(*a, **k))))
    # (6) numpy.maximum(a, b, out) positional: deprecated in 2.4.
    m = _mod('chainer.dataset.convert')
    m._concat_arrays_with_padding = _rebind(m._concat_arrays_with_padding, numpy=_NumpyProxy(
        maximum=lambda a, b, out=None: np.maximum(a, b, out=out)))

    # (7) NEP 50: 0.0 + float32/float16 scalar stays float32/float16, so LogReport/Evaluator
    #     averages lose precision (float16: 0, inf or nan).  Accumulate in float64.
    Summary = chainer.reporter.Summary
    add = Summary.add

    def add64(self, value, weight=1):
        dt = getattr(value, 'dtype', None)
        if getattr(dt, 'kind', '') == 'f' and dt.itemsize < 8 and hasattr(value, 'astype'):
            value = value.astype(np.float64)
        return add(self, value, weight)
    Summary.add = add64

    # (8) bug of the 7.8.1 release (fixed in git): Deconvolution2D backward w.r.t. W only.
    D = _mod('chainer.functions.connection.deconvolution_2d').Deconvolution2DFunction
    set_cover_all = D._set_cover_all
    D._set_cover_all = lambda self, x, w: set_cover_all(
        self, getattr(x, 'shape', x), getattr(w, 'shape', w))


def _patch_gpu(chainer):
    cuda = chainer.backends.cuda
    if not cuda.available:
        return
    cuda.check_cuda_available._already_warned = True  # (9)
    if cuda._cupy_major < 14:
        return
    # (10) CuPy 14: carray.cuh no longer defines float16 / includes cuda_fp16.h.
    elementwise, raw = cuda.elementwise, cuda.raw

    def elementwise14(in_params, out_params, operation, name, **kw):
        if 'float16' in operation and 'float16.cuh' not in kw.get('preamble', ''):
            kw['preamble'] = '#include <cupy/float16.cuh>\n' + kw.get('preamble', '')
        if name == 'negative_sampling_calculate_gw':
            operation = operation.replace('gi * x[(i / m) * c + j]', '(T)(gi * x[(i / m) * c + j])')
        return elementwise(in_params, out_params, operation, name, **kw)

    def raw14(code, name, *args, **kw):
        if 'half' in code and 'cuda_fp16.h' not in code:
            code = '#include <cuda_fp16.h>\n' + code
        return raw(code, name, *args, **kw)

    elementwise14.__doc__, raw14.__doc__ = elementwise.__doc__, raw.__doc__
    cuda.elementwise, cuda.raw = elementwise14, raw14


class _PostImport(object):
    """Patch chainermn.iterators.multi_node_iterator when (if) it is imported."""
    name = 'chainermn.iterators.multi_node_iterator'

    def find_spec(self, fullname, path=None, target=None):
        if fullname != self.name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        exec_module = spec.loader.exec_module

        def patched(module):
            exec_module(module)
            # (11) int(array of shape (1,)) is an error since NumPy 2.4.
            module.int = lambda v: builtins.int(np.asarray(v).item())
        spec.loader.exec_module = patched
        return spec


def install():
    global _done
    if _done:
        return
    _done = True
    if 'chainer' in sys.modules:
        raise ImportError('chainer_compat must be imported before chainer')
    chainer = _import_chainer()
    _patch_cpu(chainer)
    _patch_gpu(chainer)
    import importlib.util  # NOQA
    sys.meta_path.insert(0, _PostImport())
    # (12) forkserver children (MultiprocessIterator) unpickle Chainer objects before this module is
    #      imported there.  'fork' needs nothing; 'spawn' needs this import in __main__.
    import multiprocessing
    multiprocessing.set_forkserver_preload([__name__, '__main__'])



