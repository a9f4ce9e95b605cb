"""The compiled kernels; everything else stands in pyproject.toml.

Where there is no compiler the installation goes on without them, and their
NumPy references serve (quantized_net/kernels).
"""

import setuptools

setuptools.setup(ext_modules=[setuptools.Extension(
    'quantized_net.kernels._native', ['quantized_net/kernels/native.c'],
    depends=['setup.py'], optional=True,
    # no contraction to fused multiply-add: the same bits as NumPy
    extra_compile_args=['-O3', '-ffp-contract=off', '-fno-math-errno'])])
