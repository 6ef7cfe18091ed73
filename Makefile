# Everything a newcomer needs: `make check` and `make test` set up what they use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: check test test-slow coverage bytecode lint setup bench docs peers samples clean

check: $(VENV)/.base  ## run the whole catalogue against the built-in emulator
	$(BIN)/harness check emulator

test: $(VENV)/.dev bytecode  ## run the tests: some four minutes on two idle cores
	$(BIN)/python -m pytest -q -n 3

test-slow: $(VENV)/.dev bytecode  ## run the slow ones: whole searches, the whole kill matrix, client mutants, foreign servers, browsers
	$(BIN)/python -m pytest -q -n 3 --dist worksteal -m slow

coverage: $(VENV)/.dev bytecode  ## which lines the tests run, the slow ones and subprocesses included; needs Python 3.12 for its cheap tracing
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 12))' \
	  || { echo "This needs Python 3.12 or newer: make coverage VENV=.venv-coverage PYTHON=python3.13"; exit 2; }
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q -n 3 --slow
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

# Tests start hundreds of processes; where PYTHONDONTWRITEBYTECODE is set, each would compile the package anew.
bytecode: $(VENV)/.dev
	@$(BIN)/python -m compileall -q -j 0 harness

lint: $(VENV)/.dev  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.dev  ## side-by-side benchmarks: medians and ratios
	$(BIN)/python -m benchmarks

docs: $(VENV)/.docs  ## build the documentation as a site, in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

samples: $(VENV)/.dev  ## run docs/samples against the emulator, or with SAMPLES_LIVE=1 and a key against the live service
	npm install --silent --no-package-lock --prefix tests/e2e/node
	$(BIN)/python -m pytest -q -m slow tests/e2e/test_samples.py

peers: $(VENV)/.dev  ## heavy: judge other implementations and proxies, each in an environment of its own
	$(BIN)/python -m pytest -q -m peers --peers tests/e2e

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; this is $$($(PYTHON) --version). Set PYTHON=/path/to/python3.11."; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/.base

$(VENV)/.docs: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs,fuzz,record]'
	@touch $@ $(VENV)/.base

clean:
	rm -rf $(VENV) dist build site .pytest_cache .mypy_cache .ruff_cache
