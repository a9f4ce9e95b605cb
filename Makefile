# make            sets up .venv and trains on MNIST    ARGS='--epoch 5 ...'
# make test       sets up .venv and runs the tests     ARGS='-k sign ...'
# make setup      sets up .venv alone                  EXTRAS='cuda13 mpi'
# make lint       ruff and mypy
# make test-gpu-on-host
#                 runs the tests of the GPU's path without a GPU
# make check-cuda compiles the CUDA kernels that these tests use
# make sanitize   runs the kernels' tests under ASan and UBSan
# make mutants    changes the code, looks whether tests fail  ARGS='--sample 20'
# make clean      removes .venv
#
# PYTHON=python3.12 names the Python to make .venv with.

ARGS =
EXTRAS =

.PHONY: run setup test lint test-gpu-on-host check-cuda sanitize mutants clean

run:
	@sh tools/setup_env.sh $(EXTRAS)
	.venv/bin/python train_mnist.py $(ARGS)

setup:
	@sh tools/setup_env.sh $(EXTRAS)

test:
	@sh tools/setup_env.sh test $(EXTRAS)
	.venv/bin/python -m pytest $(ARGS)

lint:
	@sh tools/setup_env.sh test $(EXTRAS)
	.venv/bin/python -m ruff check
	.venv/bin/python -m mypy

# A CuPy that computes on the host takes the place of a GPU's where there is
# none: tests/cupy_standin.
test-gpu-on-host:
	@sh tools/setup_env.sh test $(EXTRAS)
	QUANTIZED_NET_GPU_ON_HOST=1 .venv/bin/python -m pytest -m gpu $(ARGS)

check-cuda:
	@sh tools/setup_env.sh test $(EXTRAS)
	.venv/bin/python tools/check_cuda.py $(ARGS)

sanitize:
	@sh tools/setup_env.sh test $(EXTRAS)
	sh tools/sanitize.sh $(CURDIR)/.venv/bin/python

mutants:
	@sh tools/setup_env.sh test $(EXTRAS)
	.venv/bin/python tools/mutation.py $(ARGS)

clean:
	rm -rf .venv .venv-log
