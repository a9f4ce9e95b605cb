# make            sets up .venv and trains on MNIST    ARGS='--epoch 5 ...'
# make test       sets up .venv and runs the tests     ARGS='-k sign ...'
# make setup      sets up .venv alone                  EXTRAS='cuda13 mpi'
# make lint       ruff and mypy
# make sanitize   runs the kernels' tests under ASan and UBSan
# make clean      removes .venv
#
# PYTHON=python3.12 names the Python to make .venv with.

ARGS =
EXTRAS =

.PHONY: run setup test lint sanitize clean

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

sanitize:
	@sh tools/setup_env.sh test $(EXTRAS)
	sh tools/sanitize.sh $(CURDIR)/.venv/bin/python

clean:
	rm -rf .venv .venv-log
