# Two commands set everything up: `make demo` shows it at work, `make test` checks it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt
# Processes that share the tests, each with its engine: about 3 GB of memory each.
WORKERS ?= 2

.PHONY: demo test check engines engines-jax engines-torch clean

demo: $(VENV)/.installed
	$(BIN)/flexunet demo

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadscope --no-loadscope-reorder

check: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The tests marked `engines`, on the two engines that `make test` does not use.
# `make -j2 engines` runs both at once, each on one core: models are tiny, and PyTorch's threads would spin.
engines: engines-jax engines-torch

engines-jax engines-torch: engines-%: $(VENV)/.installed-engines
	OMP_NUM_THREADS=1 KERAS_BACKEND=$* $(BIN)/python -m pytest -q -m engines

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing FlexUNet and TensorFlow into $(VENV) (some minutes the first time) ..."
	$(PIP) --editable '.[tensorflow]'
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP) --editable '.[tensorflow,test]'
	@touch $@

$(VENV)/.installed-engines: $(VENV)/.installed-test
	$(PIP) --editable '.[all,test]'
	@touch $@

clean:
	rm -rf $(VENV) demo build dist
