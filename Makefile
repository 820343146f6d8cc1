# The commands of this project. Plain make, 3.81 (macOS) will do. `make help` lists them.

PYTHON = python3
VENV = .venv
BIN = $(VENV)/bin
STAMP = $(VENV)/.installed-from-pyproject
# Two test processes: more share the cores with the gateways that the tests start.
PYTEST_PROCESSES = 2

.PHONY: help demo test check lint types bench install clean

help:
	@echo 'make demo   run a gateway with sample plugins; Ctrl-C ends it'
	@echo 'make test   run the tests'
	@echo 'make check  what CI runs: lint, types, tests'
	@echo 'make lint   ruff: rules and format of imports'
	@echo 'make types  mypy, strict'
	@echo 'make bench  CPU per request beside nginx and a bare proxy (needs Linux)'
	@echo 'make clean  remove the virtual environment and caches'
	@echo 'Each sets itself up in $(VENV). PYTHON=python3.12 chooses the interpreter.'

demo: $(STAMP)
	@exec $(BIN)/python demo/run.py

test: $(STAMP)
	$(BIN)/pytest -n $(PYTEST_PROCESSES) --dist loadfile

check: lint types test

lint: $(STAMP)
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

bench: $(STAMP)
	$(BIN)/python bench/run.py

install: $(STAMP)

# Made again when pyproject.toml changed. An installed environment needs no network.
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'Python 3.11 or newer is needed; try make PYTHON=python3.12' >&2; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
