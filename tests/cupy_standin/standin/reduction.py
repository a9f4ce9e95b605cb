"""ReductionKernel: a partial sum for each thread of a block, then a tree."""

import math

from standin import array
from standin import conversion
from standin import kernel
from standin import parameters

# _i counts outputs, _j the elements of the inputs, whose reduced axes come
# first: as in cupy._core._reduction, where 512 threads share an output.
_HOST = '''%(declarations)s
  CIndexer _in_ind = {sizes[0] * sizes[1], 0}, _out_ind = {sizes[0], 0};
  for (ptrdiff_t _i = 0; _i < _out_ind.size(); ++_i) {
    _type_reduce _sdata[512];
    for (int _t = 0; _t < 512; ++_t) {
      _type_reduce _s = _type_reduce(%(identity)s);
      for (ptrdiff_t _J = _t; _J < sizes[1]; _J += 512) {
        ptrdiff_t _j = _i + _J * _out_ind.size();
        _in_ind.set(_j);
        %(inputs)s
        _type_reduce _a = static_cast<_type_reduce>(%(map)s);
        _s = REDUCE(_s, _a);
      }
      _sdata[_t] = _s;
    }
    for (int _block = 256; _block; _block >>= 1)
      for (int _t = 0; _t < _block; ++_t) {
        _type_reduce _a = _sdata[_t], _b = _sdata[_t + _block];
        _sdata[_t] = REDUCE(_a, _b);
      }
    _out_ind.set(_i);
    %(outputs)s
    POST_MAP(_sdata[0]);
  }'''

# As cupy._core._reduction writes it.
_CUDA = '''%(head)s%(preamble)s
%(macros)s
extern "C" __global__ void %(name)s(
    %(params)s, %(in_indexer)s _in_ind, %(out_indexer)s _out_ind,
    const int _block_stride) {
  __shared__ char _sdata_raw[512 * sizeof(_type_reduce)];
  _type_reduce *_sdata = reinterpret_cast<_type_reduce*>(_sdata_raw);
  unsigned int _tid = threadIdx.x;
  int _J_offset = _tid >> __popc(_block_stride - 1);
  ptrdiff_t _j_offset = (ptrdiff_t)_J_offset * _out_ind.size();
  int _J_stride = 512 >> __popc(_block_stride - 1);
  ptrdiff_t _j_stride = (ptrdiff_t)_J_stride * _out_ind.size();
  for (ptrdiff_t _i_base = (ptrdiff_t)blockIdx.x * _block_stride;
       _i_base < _out_ind.size();
       _i_base += (ptrdiff_t)gridDim.x * _block_stride) {
    _type_reduce _s = _type_reduce(%(identity)s);
    ptrdiff_t _i = _i_base + (_tid & (_block_stride - 1));
    for (ptrdiff_t _j = _i + _j_offset; _j < _in_ind.size();
         _j += _j_stride) {
      _in_ind.set(_j);
      %(inputs)s
      _type_reduce _a = static_cast<_type_reduce>(%(map)s);
      _s = REDUCE(_s, _a);
    }
    _sdata[_tid] = _s;
    __syncthreads();
    for (unsigned int _block = 512 / 2; _block >= _block_stride;
         _block >>= 1) {
      if (_tid < _block) {
        _type_reduce _a = _sdata[_tid], _b = _sdata[_tid + _block];
        _sdata[_tid] = REDUCE(_a, _b);
      }
      __syncthreads();
    }
    if (_tid < _block_stride) {
      _s = _sdata[_tid];
    }
    if (_tid < _block_stride && _i < _out_ind.size()) {
      _out_ind.set(static_cast<ptrdiff_t>(_i));
      %(outputs)s
      POST_MAP(_s);
    }
  }
}
'''


class ReductionKernel(kernel.Kernel):

    def __init__(self, in_params, out_params, map_expr, reduce_expr,
                 post_map_expr, identity, name='reduce_kernel',
                 reduce_type=None, reduce_dims=True, preamble='', options=()):
        super(ReductionKernel, self).__init__(
            in_params, out_params, name, preamble)
        self.map_expr = map_expr
        self.identity = '' if identity is None else str(identity)
        self._macros = (
            '#define REDUCE(a, b) (%s)\n#define POST_MAP(a) (%s)\n'
            'typedef %s _type_reduce;' % (
                reduce_expr, post_map_expr.replace('\n', ' '),
                reduce_type or self.out_params[0].ctype))

    def _parts(self, are_arrays):
        return {
            'identity': self.identity, 'map': self.map_expr,
            'inputs': self.elements(are_arrays, '_in_ind', 0, self.nin),
            'outputs': self.elements(are_arrays, '_out_ind', self.nin)}

    def host_body(self, are_arrays):
        return '%s\n%s' % (self._macros, _HOST % dict(
            self._parts(are_arrays),
            declarations=self.declarations(are_arrays)))

    def cuda_source(self, head, params, indexers, are_arrays):
        return _CUDA % dict(
            self._parts(are_arrays), head=head, preamble=self.preamble,
            macros=self._macros, name=self.name, params=params,
            in_indexer=indexers[0], out_indexer=indexers[1])

    def __call__(self, *args, axis=None, keepdims=False, out=None,
                 stream=None):
        if len(args) not in (self.nin, self.nargs) or (
                out is not None and len(args) != self.nin):
            raise TypeError('Wrong number of arguments for %s' % self.name)
        args = parameters.check_arguments(args)
        outs = args[self.nin:] + ([] if out is None else [out])
        args = args[:self.nin]
        arrays, shape = self.broadcast(args, self.in_params)
        if shape is None:
            raise ValueError('Loop size is undecided.')
        in_types, out_types, types = parameters.decide_types(
            self.in_params, self.out_params,
            [parameters.dtype_of(a) for a in args], [o.dtype for o in outs])
        reduced, kept = self._axes(axis, len(shape))
        if not self.identity and any(shape[a] == 0 for a in reduced):
            raise ValueError('zero-size array to reduction operation %s '
                             'which has no identity' % self.name)
        for k, (p, a) in enumerate(zip(self.in_params, args)):
            if conversion.is_array(a) and not p.raw:
                arrays[k] = arrays[k].transpose(reduced + kept)
        out_shape = tuple([
            1 if a in reduced else n for a, n in enumerate(shape)
            if keepdims or a in kept])
        outs = outs or [array.ndarray(out_shape, t) for t in out_types]
        if any(o.shape != out_shape for o in outs):
            raise ValueError('Out shape is mismatched')
        if math.prod(out_shape):
            are_arrays = [conversion.is_array(a) for a in args]
            self.launch(
                types, in_types, arrays, outs,
                are_arrays + [True] * self.nout, math.prod(out_shape),
                math.prod([shape[a] for a in reduced]))
        return outs[0]  # the others, too, as CuPy has it: pass them

    @staticmethod
    def _axes(axis, ndim):
        """The reduced axes and the others, both in order."""
        if axis is None:
            axis = range(ndim)
        elif isinstance(axis, int):
            axis = [axis]
        reduced = sorted([a % ndim for a in axis])
        return reduced, [a for a in range(ndim) if a not in reduced]
