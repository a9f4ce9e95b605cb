#!/bin/sh
# Runs the tests of the kernels on a build of them that AddressSanitizer and
# UndefinedBehaviorSanitizer watch.  Needs gcc with its libasan and libubsan.
#
#     sh tools/sanitize.sh PYTHON
set -eu
python=$1
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cp -r quantized_net tests pyproject.toml "$scratch"
cd "$scratch"
rm -f quantized_net/kernels/_native*.so
suffix=$("$python" -c \
    'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))')
# no clones: their choice is made before the sanitizers are there
gcc -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
    -fno-sanitize-recover=undefined -DQUANTIZED_NET_NO_CLONES \
    -ffp-contract=off -fno-math-errno -pthread -fPIC -shared \
    -o "quantized_net/kernels/_native$suffix" quantized_net/kernels/*.c -lm
runtime=$(gcc -print-file-name=libasan.so):$(gcc -print-file-name=libubsan.so)
# Python itself frees little at its end
export LD_PRELOAD="$runtime" ASAN_OPTIONS=detect_leaks=0 PYTHONPATH="$scratch"
"$python" -c 'import quantized_net; quantized_net.show_config()' |
    grep compiled
"$python" -m pytest -q -p no:cacheprovider tests/kernels_tests \
    tests/functions_tests tests/inference_tests/test_engine.py
