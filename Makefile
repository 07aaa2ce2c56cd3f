# Every target sets up what it needs: on a fresh machine one command is enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
UV := $(shell command -v uv 2>/dev/null)

.PHONY: help setup attacks docs fuzz soak studies test test-all test-engines test-long test-processors lint format demo bench bench-page build-files lock clean

help:  ## Show this list.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 17

setup: $(STAMP)  ## Build .venv from requirements.lock (uv if it is there, else pip).

$(STAMP): requirements.lock pyproject.toml
ifneq ($(UV),)
	uv venv --quiet --seed --allow-existing --python '>=3.11' $(VENV)
	uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
else
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one with make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
endif
	touch $@

test: $(STAMP)  ## Run the fast tests, in a worker for each core.
	$(BIN)/pytest -n auto

test-long: $(STAMP)  ## Run the tests of 1.2 seconds and more of a processor, but not the slow ones.
	$(BIN)/pytest -n auto -m "long and not slow"

test-all: $(STAMP)  ## Run every test, the slow ones too.
	$(BIN)/pytest -n auto -m ""

test-engines: $(STAMP)  ## Run the slow tests on Beam's engines, hosts that fail, an object store and a balancer; ONLY=exhaustive: those that take longest.
	$(BIN)/pytest -n auto -m "engine and slow and $(or $(ONLY),not exhaustive)" -rs

test-processors: $(STAMP)  ## Run what a processor could break as other processors would, and under qemu.
	$(BIN)/python -m tests.processors.run

attacks: $(STAMP)  ## Run the tests that attack, slow ones too, and write docs/attacks.md.
	$(BIN)/pytest -n auto -m attack
	$(BIN)/python -m tests.attack_table

fuzz: $(STAMP)  ## Fuzz each reader for MINUTES=60; inputs that break one are kept in out/fuzz/crashes.
	$(BIN)/python -m tests.fuzz.run --minutes_each=$(or $(MINUTES),60)

soak: $(STAMP)  ## Serve for MINUTES=20 among attacks, swaps and a restart, and check every answer.
	$(BIN)/python -m tests.soak.run --minutes=$(or $(MINUTES),20)

lint: $(STAMP)  ## Check format, style, types and the direction of imports.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)  ## Put the code into ruff's format.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

demo: $(STAMP)  ## Draw with a trained model, then train on drawn shapes, serve and ask that one; see out/demo.
	$(BIN)/python -m biggan_tf.sample --weights=cifar10_biggan --truncation=0.8 --output=out/demo/preset.png
	$(BIN)/python -m pipeline.demo --output=out/demo

docs: $(STAMP)  ## Build the pages of docs/ as a site in out/site; a broken link is an error.
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

studies: $(STAMP)  ## Check each claim of biggan_tf/studies, draw it, write one page into out/studies.
	$(BIN)/python -m biggan_tf.study all --output=out/studies

bench: $(STAMP)  ## Measure speed as ratios, print the tables, write out/bench/*.json.
	$(BIN)/python -m tests.benchmarks.run

bench-page: $(STAMP)  ## Write out/bench/*.json to docs/benchmarks.md, and their ratios to the README.
	$(BIN)/python -m tests.benchmarks.page

build-files: $(STAMP)  ## Write the deps of the BUILD files that the imports ask for.
	$(BIN)/python -m tests.build_files --fix

lock:  ## Resolve requirements.lock again (needs uv).
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-header --upgrade --quiet -o requirements.lock

clean:  ## Remove what the targets wrote.
	rm -rf $(VENV) out build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
