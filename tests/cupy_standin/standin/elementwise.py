"""ElementwiseKernel: one loop over the elements."""

import math

from standin import array
from standin import conversion
from standin import kernel
from standin import parameters

_HOST = '''%s
  CIndexer _ind = {sizes[0], 0};
  %s;
  for (ptrdiff_t i = 0; i < _ind.size(); ++i) {
    _ind.set(i);
    %s
    %s;
  }
  %s;'''

# As cupy._core._kernel writes it.
_CUDA = '''%(head)s%(preamble)s
extern "C" __global__ void %(name)s(%(params)s, %(indexer)s _ind) {
  %(loop_prep)s;
  #pragma unroll 1
  CUPY_FOR(i, _ind.size()) {
    _ind.set(i);
    %(elements)s
    %(operation)s;
  }
  %(after_loop)s;
}
'''


class ElementwiseKernel(kernel.Kernel):

    def __init__(self, in_params, out_params, operation, name='kernel',
                 reduce_dims=True, preamble='', no_return=False,
                 return_tuple=False, doc='', *, loop_prep='', after_loop='',
                 options=()):
        super(ElementwiseKernel, self).__init__(
            in_params, out_params, name, preamble)
        self.operation = operation
        self.loop_prep, self.after_loop = loop_prep, after_loop
        self.no_return, self.return_tuple = no_return, return_tuple

    def host_body(self, are_arrays):
        return _HOST % (
            self.declarations(are_arrays), self.loop_prep,
            self.elements(are_arrays, '_ind'), self.operation,
            self.after_loop)

    def cuda_source(self, head, params, indexers, are_arrays):
        return _CUDA % {
            'head': head, 'preamble': self.preamble, 'name': self.name,
            'params': params, 'indexer': indexers[0],
            'loop_prep': self.loop_prep, 'operation': self.operation,
            'after_loop': self.after_loop,
            'elements': self.elements(are_arrays, '_ind')}

    def __call__(self, *args, size=-1, stream=None, block_size=128):
        if len(args) not in (self.nin, self.nargs):
            raise TypeError(
                'Wrong number of arguments for %s. It must be either %d or '
                '%d (with outputs), but given %d.' % (
                    self.name, self.nin, self.nargs, len(args)))
        args = parameters.check_arguments(args)
        outs = args[self.nin:]
        if not all(conversion.is_array(o) for o in outs):
            raise TypeError('Output arguments must be cupy.ndarray')
        arrays, shape = self.broadcast(args, self.params)
        if size != -1:
            if shape is not None:
                raise ValueError("Specified 'size' can be used only if all "
                                 "of the ndarray are 'raw'.")
            shape = size,
        elif shape is None:
            raise ValueError('Loop size is undecided.')
        in_types, out_types, types = parameters.decide_types(
            self.in_params, self.out_params,
            [parameters.dtype_of(a) for a in args[:self.nin]],
            [o.dtype for o in outs])
        outs = self._outputs(outs, out_types, shape, size)
        if math.prod(shape):
            are_arrays = [conversion.is_array(a) for a in args[:self.nin]]
            self.launch(types, in_types, arrays[:self.nin], outs,
                        are_arrays + [True] * self.nout, math.prod(shape))
        if self.no_return:
            return None
        return (outs[0] if self.nout == 1 and not self.return_tuple
                else tuple(outs))

    def _outputs(self, outs, out_types, shape, size):
        """Those that were given, checked, or new ones."""
        if outs:
            for p, o in zip(self.out_params, outs):
                if not p.raw and o.shape != shape:
                    raise ValueError('Out shape is mismatched')
            return outs
        if size == -1 and any(p.raw for p in self.out_params):
            raise ValueError('Output array size is Undecided')
        return [array.ndarray(shape, t) for t in out_types]
