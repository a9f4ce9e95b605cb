"""The stand-in is as strict as CuPy."""

import numpy
import pytest

import chainer

RAW_SUM = r'''
extern "C" __global__ void block_sums(const float* x, float* y, int n) {
  __shared__ float sums[2];
  float sum = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n;
       i += blockDim.x * gridDim.x)
    sum += x[i];
  for (int k = 16; k; k >>= 1)
    sum += __shfl_down_sync(0xffffffff, sum, k);
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) atomicAdd(y, sums[0] + sums[1]);
}
'''
DEADLOCK = r'''
extern "C" __global__ void deadlock() {
  if (threadIdx.x == 0) __syncthreads();
  else __syncwarp();
}
'''


@pytest.fixture
def cupy(standin):
    return chainer.backends.cuda.cupy


@pytest.fixture
def x(cupy):
    return cupy.arange(6, dtype='f').reshape(2, 3)


@pytest.mark.parametrize('use', [
    lambda cupy, x: x + numpy.ones((2, 3), 'f'),
    lambda cupy, x: numpy.ones((2, 3), 'f') + x,
    lambda cupy, x: cupy.maximum(x, numpy.ones((2, 3), 'f')),
    lambda cupy, x: cupy.concatenate([x, numpy.ones((2, 3), 'f')]),
    lambda cupy, x: numpy.asarray(x),
    lambda cupy, x: x.sum(where=x > 1),
    lambda cupy, x: cupy.sum(x, initial=0)])
def test_type_errors(cupy, x, use):
    with pytest.raises(TypeError):
        use(cupy, x)


@pytest.mark.parametrize('use,name', [
    (lambda cupy, x: cupy.no_such_name, 'no_such_name'),
    (lambda cupy, x: x.no_such_name, 'no_such_name'),
    (lambda cupy, x: cupy.cuda.no_such_name, 'no_such_name'),
    (lambda cupy, x: cupy.random.no_such_name, 'no_such_name'),
    (lambda cupy, x: cupy.linalg.no_such_name, 'no_such_name')])
def test_what_is_not_there_is_named(cupy, x, use, name):
    with pytest.raises(AttributeError, match=name):
        use(cupy, x)


def test_fresh_memory_shows(cupy):
    assert numpy.isnan(cupy.empty(3, 'e').get()).all()
    assert (cupy.empty(3, 'i').get() != 0).all()


def test_item_is_a_view(cupy, x):
    x[1, 2].fill(9)
    assert x.get()[1, 2] == 9


def test_results_are_c_ordered(cupy, x):
    assert (x.T + x.T).flags.c_contiguous
    assert abs(x.T).flags.c_contiguous


def test_types_come_from_arrays_alone(cupy, x):
    """Of quantized_net's functions ap2 once failed so on any GPU."""
    kernel = cupy.ElementwiseKernel('T x, U a', 'T y', 'y = x + a', 'add_U')
    with pytest.raises(KeyError, match='U'):
        kernel(x, numpy.uint32(1))
    with pytest.raises(TypeError, match='Unsupported type'):
        kernel(x, x.get())
    with pytest.raises(TypeError, match='mismatched'):
        cupy.ElementwiseKernel('T x, T a', 'T y', 'y = x + a', 'add_T')(
            x, x.astype('d'))


def test_index_out_of_bounds(cupy, x):
    kernel = cupy.ElementwiseKernel(
        'raw T x', 'T y', 'y = x[i + 1]', 'shifted')
    assert kernel(x, size=5).get().tolist() == [1, 2, 3, 4, 5]
    with pytest.raises(IndexError, match='shifted: index 6'):
        kernel(x, size=6)


def test_float16_as_numpy_has_it(cupy):
    halves = numpy.arange(1 << 16, dtype=numpy.uint16).view('e')
    found = cupy.ElementwiseKernel(
        'T x', 'float32 y', 'y = x', 'from_half')(cupy.array(halves)).get()
    numpy.testing.assert_array_equal(found, halves.astype('f'))
    bits = numpy.random.randint(0, 1 << 32, 100000, dtype=numpy.uint32)
    floats = numpy.concatenate([
        bits.view('f'), numpy.random.normal(0, 1e-4, 10000).astype('f'),
        numpy.array([65519, 65520, 2. ** -25, 3 * 2. ** -25], 'f')])
    found = cupy.ElementwiseKernel(
        'T x', 'float16 y', 'y = x', 'to_half')(cupy.array(floats)).get()
    with numpy.errstate(all='ignore'):
        numpy.testing.assert_array_equal(found, floats.astype('e'))


@pytest.mark.parametrize('shape,axis', [
    ((7,), None), ((1500, 3), 0), ((2, 3, 4), (0, 2)), ((3, 0), 1)])
def test_reduction(cupy, shape, axis):
    x = numpy.random.normal(size=shape)
    kernel = cupy.ReductionKernel(
        'T x, T a', 'T y', 'x * a', 'a + b', 'y = a', '0', 'scaled_sum')
    for keepdims in (False, True):
        numpy.testing.assert_allclose(
            kernel(cupy.array(x), 2., axis=axis, keepdims=keepdims).get(),
            2 * x.sum(axis=axis, keepdims=keepdims), 1e-12)


def test_reduction_to_several_arrays(cupy):
    """The first is returned, as CuPy has it; macros are of one line."""
    parts = 'T x', 'T s, T n', 'x', 'a + b'
    s, n = cupy.empty((2, 3))
    found = cupy.ReductionKernel(*parts, 's = a, n = -a', '0', 'both')(
        cupy.arange(6.).reshape(2, 3), s, n, axis=0)
    assert found is s and s.get().tolist() == [3, 5, 7]
    assert n.get().tolist() == [-3, -5, -7]
    with pytest.raises(ValueError, match='both: .* one line'):
        cupy.ReductionKernel(*parts, 's = a,\n n = -a', '0', 'both')


def test_structure_by_value(cupy):
    row = numpy.dtype([('p', numpy.uintp), ('a', 'f')], align=True)
    x, table = cupy.arange(4, dtype='f'), numpy.zeros(1, row)
    table['p'], table['a'] = x.data.ptr, 2
    kernel = cupy.RawKernel('''
        struct Row { float* p; float a; };
        extern "C" __global__ void scale(const Row row) {
          row.p[threadIdx.x] *= row.a;
        }''', 'scale')
    kernel((1,), (4,), (table,))
    assert x.get().tolist() == [0, 2, 4, 6]
    with pytest.raises(TypeError, match='size one'):
        kernel((1,), (4,), (numpy.zeros(2, row),))
    with pytest.raises(TypeError, match='16, not|16. bytes'):
        kernel((1,), (4,), (numpy.zeros(1, 'f'),))


def test_raw_kernel(cupy):
    x, y = cupy.arange(1000, dtype='f'), cupy.zeros((), 'f')
    kernel = cupy.RawKernel(RAW_SUM, 'block_sums')
    kernel((3,), (64,), (x, y, numpy.int32(1000)))
    assert y.get() == 999 * 500
    with pytest.raises(TypeError, match='8, 8, 4'):
        kernel((3,), (64,), (x, y, 1000))


def test_threads_that_wait_for_ever(cupy):
    with pytest.raises(RuntimeError, match='never come'):
        cupy.RawKernel(DEADLOCK, 'deadlock')((1,), (64,), ())


def test_launches_and_reads_are_counted_with_their_place(standin, x):
    with standin.meter.recording() as record:
        y = x + 1
        bool(y[0, 0])
    (name, place), = record.launches
    assert name == 'add' and 'test_standin.py' in place
    (name, place), = record.reads
    assert name == 'bool' and 'test_standin.py' in place
