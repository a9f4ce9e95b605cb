#!/usr/bin/env python3
"""Compiles the CUDA kernels that the tests use, without a GPU.

The tests of the GPU's path run on tests/cupy_standin and leave each kernel
as CuPy would write it; NVRTC compiles them, with CuPy's own headers, for
several architectures.  It sees what the host's C++ compiler lets pass.  A
warning is an error.

NVRTC and the headers are wheels of PyPI, which pip unpacks into a folder once
(some 150 MB); they are not installed.  Where pip can not get them nothing is
checked, and the last line says why.
"""

import argparse
import concurrent.futures
import ctypes
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
WHEELS = ('cupy-cuda13x>=14,<15', 'nvidia-cuda-nvrtc>=13,<14',
          'nvidia-cuda-runtime>=13,<14', 'nvidia-cuda-crt>=13,<14',
          'nvidia-cuda-cccl>=13,<14')
UNPACKED = ('cupy/_core/include/', 'nvidia/')
CUPY_HEADERS = 'cupy/_core/include'


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        '--sources', type=pathlib.Path, metavar='DIR',
        help='kernels that a run of the tests left here (default: run them)')
    parser.add_argument(
        '--toolchain', type=pathlib.Path, metavar='DIR',
        default=ROOT / 'build' / 'check_cuda',
        help='folder of NVRTC and the headers (default: %(default)s)')
    parser.add_argument(
        '--arch', nargs='+', default=['sm_75', 'sm_80', 'sm_90'],
        help='default: %(default)s')
    return parser.parse_args()


def get_toolchain(folder):
    """Unpacks the wheels; returns an error or None."""
    if (folder / 'complete').exists():
        return None
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run(
            [sys.executable, '-m', 'pip', 'download', '--quiet', '--no-deps',
             '--only-binary', ':all:', '--dest', scratch, *WHEELS],
            capture_output=True, text=True)
        if done.returncode:
            return 'pip can not get NVRTC and CuPy: %s' % (
                done.stderr.strip().rsplit('\n', 1)[-1])
        for wheel in pathlib.Path(scratch).glob('*.whl'):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder, [
                    name for name in archive.namelist()
                    if name.startswith(UNPACKED)])
    (folder / 'complete').touch()
    return None


def collect(folder):
    """Runs the tests of the GPU's path, which leave their kernels."""
    subprocess.run(
        [sys.executable, '-m', 'pytest', '-q', '-m', 'gpu', '--ignore',
          'tests/scripts_tests', '--ignore',  # no more kernels
         'tests/gpu_tests/test_scripts_on_gpu.py'], cwd=ROOT, check=True,
        env=dict(os.environ, QUANTIZED_NET_GPU_ON_HOST='1',
                 CUPY_STANDIN_SOURCES=str(folder)))


class Compiler(object):

    """NVRTC of an unpacked wheel.

    Raises:
        OSError: Where it can not be loaded.

    """

    def __init__(self, folder):
        libraries = folder / 'nvidia' / 'cu13' / 'lib'
        for path in sorted(libraries.glob('libnvrtc-builtins.so.*')):
            ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
        found = sorted(libraries.glob('libnvrtc.so.*'))
        if not found:
            raise OSError('no libnvrtc in %s' % libraries)
        self._nvrtc = ctypes.CDLL(str(found[0]))
        headers = folder / 'nvidia' / 'cu13' / 'include'
        # as cupy.cuda.compiler has them
        self._options = [
            '-std=c++17', '--device-as-default-execution-space',
            '-I%s' % (folder / CUPY_HEADERS), '-I%s' % headers,
            '-I%s' % (headers / 'cccl')]

    def complaint(self, path, arch):
        """What NVRTC has to say of a source: '' where all is well."""
        nvrtc, program = self._nvrtc, ctypes.c_void_p()
        nvrtc.nvrtcCreateProgram(
            ctypes.byref(program), path.read_bytes(), path.name.encode(), 0,
            None, None)
        options = [o.encode() for o in self._options + ['-arch=' + arch]]
        status = nvrtc.nvrtcCompileProgram(
            program, len(options), (ctypes.c_char_p * len(options))(*options))
        size = ctypes.c_size_t()
        nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        nvrtc.nvrtcGetProgramLog(program, log)
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
        text = log.value.decode().strip()
        if status and not text:
            return 'NVRTC: error %d' % status
        return text if status or 'warning' in text else ''


def check(compiler, sources, archs):
    """Prints what is wrong; returns the number of sources that are."""
    pairs = [(path, arch) for path in sources for arch in archs]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        complaints = list(pool.map(
            lambda pair: compiler.complaint(*pair), pairs))
    bad = {}
    for (path, arch), complaint in zip(pairs, complaints):
        if complaint:
            bad.setdefault((path.name, complaint), []).append(arch)
    for (name, complaint), where in bad.items():
        print('%s (%s)\n%s\n' % (name, ', '.join(where), complaint))
    return len({name for name, _ in bad})


def main():
    args = parse_args()
    error = get_toolchain(args.toolchain)
    if error is None:
        try:
            compiler = Compiler(args.toolchain)
        except OSError as e:
            error = str(e)
    if error is not None:
        print('check-cuda: skipped: %s' % error)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.sources or pathlib.Path(scratch)
        if args.sources is None:
            collect(folder)
        sources = sorted(folder.glob('*.cu'))
        if not sources:
            print('check-cuda: no *.cu in %s' % folder)
            return 2
        n_bad = check(compiler, sources, args.arch)
    print('check-cuda: %d of %d kernels are as they should be, for %s' % (
        len(sources) - n_bad, len(sources), ', '.join(args.arch)))
    return 1 if n_bad else 0


if __name__ == '__main__':
    sys.exit(main())
