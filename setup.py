"""The compiled kernels; everything else stands in pyproject.toml.

Where there is no compiler the installation goes on without them, and their
NumPy references serve (quantized_net/kernels).
"""

import setuptools

setuptools.setup(ext_modules=[setuptools.Extension(
    'quantized_net.kernels._native',
    ['quantized_net/kernels/%s.c' % name for name in (
        'native', 'threads', 'convolution', 'convolution_levels', 'winograd',
        'batch_normalization', 'pooling', 'sign_product', 'codes',
        'codes_levels')],
    depends=['setup.py'] + ['quantized_net/kernels/%s.h' % name for name in (
        'vectors', 'threads', 'convolution', 'tiles', 'codes')], optional=True,
    # no contraction to fused multiply-add: the same bits as NumPy
    extra_compile_args=['-O3', '-ffp-contract=off', '-fno-math-errno',
                        '-pthread'],
    extra_link_args=['-pthread'])])
