"""The compiled kernels; everything else stands in pyproject.toml.

Where there is no compiler the installation goes on without them, and their
NumPy references serve (quantized_net/kernels).
"""

import pathlib

import setuptools

HERE = pathlib.Path('quantized_net', 'kernels')

setuptools.setup(ext_modules=[setuptools.Extension(
    'quantized_net.kernels._native',
    sorted(map(str, HERE.glob('*.c'))),
    depends=['setup.py', *sorted(map(str, HERE.glob('*.h')))], optional=True,
    # no contraction to fused multiply-add: the same bits as NumPy
    extra_compile_args=['-O3', '-ffp-contract=off', '-fno-math-errno',
                        '-pthread'],
    extra_link_args=['-pthread'])])
