# Two commands set everything up: `make demo` shows it at work, `make test` checks it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt
# Processes that share the tests, each with its engine: about 3 GB of memory each.
WORKERS ?= 3

.PHONY: demo test check desk docs release engines engines-jax engines-torch clean

demo: $(VENV)/.installed
	$(BIN)/flexunet demo

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadscope --no-loadscope-reorder

check: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The page of the review desk: its style, its tests, and that its source gives the files that are committed.
# Only those who change desk/ need Node; where it is missing, nothing is checked, and that is said.
desk:
	@if command -v npm > /dev/null; then cd desk && npm ci --no-audit --no-fund && npm run lint && npm test \
	    && npx tsc --noEmit && npx vite build --outDir ../build/desk --logLevel warn \
	    && diff --recursive ../build/desk ../src/flexunet/review/static \
	    || { echo "The page is not as committed: run 'npm ci && npm run check' in desk/, and commit."; exit 1; }; \
	else echo "npm is missing: the page of the review desk is not checked"; fi

# The documentation as a site, in build/site: every warning is an error, so links and anchors lead somewhere.
docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# Wheel and sdist in dist/, and beside them a software bill of materials: every pinned library with its version.
release: $(VENV)/.installed-release
	$(BIN)/python -m build --outdir dist .
	$(BIN)/cyclonedx-py requirements constraints.txt --pyproject pyproject.toml --output-reproducible \
	    --of JSON -o dist/sbom.cdx.json

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

$(VENV)/.installed-docs: $(VENV)/.installed
	$(PIP) --editable '.[tensorflow,docs]'
	@touch $@

$(VENV)/.installed-release: $(VENV)/.installed
	$(PIP) --editable '.[tensorflow,release]'
	@touch $@

$(VENV)/.installed-engines: $(VENV)/.installed-test
	$(PIP) --editable '.[all,test]'
	@touch $@

clean:
	rm -rf $(VENV) demo build dist desk/node_modules
