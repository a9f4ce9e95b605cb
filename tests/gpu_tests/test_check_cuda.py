"""tools/check_cuda.py, but for NVRTC itself."""

import importlib.util
import pathlib
import subprocess
import sys

import pytest

TOOL = (pathlib.Path(__file__).resolve().parent.parent.parent
        / 'tools' / 'check_cuda.py')


@pytest.fixture
def check_cuda():
    spec = importlib.util.spec_from_file_location('check_cuda', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Picky(object):

    def complaint(self, path, arch):
        return 'no %s' % arch if 'bad' in path.read_text() else ''


def test_complaints_name_kernel_and_architecture(
        check_cuda, tmp_path, capsys):
    for name, text in [('a.cu', 'good'), ('b.cu', 'bad')]:
        (tmp_path / name).write_text(text)
    n_bad = check_cuda.check(
        Picky(), sorted(tmp_path.glob('*.cu')), ['sm_75', 'sm_90'])
    assert n_bad == 1
    printed = capsys.readouterr().out
    assert 'b.cu (sm_75)\nno sm_75' in printed and 'a.cu' not in printed


def test_without_a_compiler_nothing_is_checked(tmp_path):
    # complete, but empty
    (tmp_path / 'complete').touch()
    done = subprocess.run(
        [sys.executable, str(TOOL), '--toolchain', str(tmp_path)],
        capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout.startswith('check-cuda: skipped: no libnvrtc')


def test_kernels_are_saved_as_cupy_writes_them(
        standin, monkeypatch, tmp_path):
    import cupy
    monkeypatch.setenv('CUPY_STANDIN_SOURCES', str(tmp_path))
    x = cupy.ones((2, 3), 'e')
    cupy.ElementwiseKernel('T x, float32 a', 'T y', 'y = x * a', 'scaled')(
        x.T, 2)
    cupy.ReductionKernel(
        'T x', 'T y', 'x', 'a + b', 'y = a', '0', 'total')(x, axis=1)
    scaled, total = [path.read_text() for path in sorted(
        tmp_path.glob('*.cu'))]
    assert '#include <cupy/float16.cuh>\ntypedef float16 T;' in scaled
    assert ('scaled(const CArray<float16, 2, 0, 1> _raw_x, const float a, '
            'CArray<float16, 2, 1, 1> _raw_y, CIndexer<2, 1> _ind)') in scaled
    assert '__syncthreads' in total and 'CIndexer<1, 1> _out_ind' in total
