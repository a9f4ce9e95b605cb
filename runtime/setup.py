"""Takes the modules that need no Chainer out of ../quantized_net."""

import pathlib
import re
import shutil

import setuptools
from setuptools.command import build_py

SOURCES = pathlib.Path(__file__).resolve().parent.parent / 'quantized_net'
TAKEN = 'errors.py', 'files.py', 'packing', 'inference'
KERNELS = 'native.py', 'signatures.py'


class BuildPy(build_py.build_py):

    def run(self):
        super().run()
        to = pathlib.Path(self.build_lib) / 'quantized_net_runtime'
        for name in TAKEN:
            if (SOURCES / name).is_dir():
                shutil.copytree(
                    SOURCES / name, to / name, dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns('__pycache__'))
            else:
                shutil.copy(SOURCES / name, to / name)
        (to / 'kernels').mkdir(exist_ok=True)
        (to / 'kernels' / '__init__.py').touch()
        for name in KERNELS:
            shutil.copy(SOURCES / 'kernels' / name, to / 'kernels' / name)


version = re.search("__version__ = '(.*)'",
                    (SOURCES / '_version.py').read_text())
assert version is not None
kernels = pathlib.Path('..', 'quantized_net', 'kernels')
# where there is no compiler NumPy serves, as in quantized_net
setuptools.setup(
    version=version[1], cmdclass={'build_py': BuildPy},
    ext_modules=[setuptools.Extension(
        'quantized_net_runtime.kernels._native',
        sorted(map(str, kernels.glob('*.c'))), optional=True,
        extra_compile_args=['-O3', '-ffp-contract=off', '-fno-math-errno',
                            '-pthread'], extra_link_args=['-pthread'])])
