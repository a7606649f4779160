# `make` alone lists the targets. Each sets up what it needs, so any of them may be the first command after a clone.

SHELL := /bin/sh
# Every process of the tests would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
BROWSER := $(VENV)/.browser
DEBIAN := $(VENV)/debian
SOAK = $(BIN)/pytest tests/faults tests/properties tests/security --soak --timeout=1800 -p no:randomly
VENDORED := src/agentic_atlas/platform/vendor/htmx.lock
PIP := $(BIN)/python -m pip -qq --no-input --disable-pip-version-check
COMPILE := $(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header \
	--universal --python-version 3.11 pyproject.toml

ONCE ?=
FOLDER ?=
RECORD ?=
ARGS ?=
# Most of what a test of processes does is waiting, so more than one a core run side by side; one that asks for few runs alone.
JOBS ?= $(if $(ARGS),0,4)

.PHONY: help setup demo test unit soak check lint types imports locks fix bench trace docs reference screenshots build lock ws-echo

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP) $(VENDORED) $(BROWSER) $(DEBIAN)/.stamp ## Create .venv with everything in it, from the lock file, and a browser for tests

$(STAMP): requirements/dev.lock requirements/venv.sh requirements/apt.sh pyproject.toml
	@echo "Setting up $(VENV): two minutes the first time"
	@echo "1. An environment of Python's (10 s)"
	@sh requirements/venv.sh $(VENV)
	@echo "2. Packages of requirements/dev.lock (a minute or two)"
	@sh requirements/packages.sh $(BIN)/python requirements/dev.lock
	@echo "3. Agentic Atlas itself (5 s)"
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENDORED): $(STAMP) requirements/htmx.lock requirements/pages.py requirements/npm.py
	@echo "What the pages load in a browser (10 s)"
	@$(BIN)/python requirements/pages.py
	@touch $@

$(BROWSER): $(STAMP) requirements/chromium.sh requirements/apt.sh
	@echo "A browser for the tests of pages (nothing to do where there is one, else a minute)"
	@sh requirements/chromium.sh
	@touch $@

$(DEBIAN)/.stamp: $(STAMP) requirements/debian.sh requirements/apt.sh
	@echo "Two proxies, another clock and a Prometheus for the tests (nothing to do where there are any, else 20 s)"
	@sh requirements/debian.sh $(DEBIAN)
	@touch $@

demo: $(STAMP) $(VENDORED) ## The whole story on this machine (FOLDER=documents, ONCE=1 to end by itself)
	@$(BIN)/atlas demo $(FOLDER) $(if $(filter-out 0,$(ONCE)),--once)

test: $(STAMP) $(VENDORED) $(BROWSER) $(DEBIAN)/.stamp ## Run all tests, ring by ring (ARGS="tests/unit -k word" for some, JOBS=1 for one at a time)
	@$(BIN)/pytest -n $(JOBS) --dist loadscope --no-loadscope-reorder $(ARGS)

unit: $(STAMP) ## Run the fast tests alone: no network, no process
	@$(BIN)/pytest -q tests/unit $(ARGS)

# What compares times runs last, and by itself; where ARGS leave none of that, there is nothing to run (pytest's 5).
soak: $(STAMP) $(VENDORED) $(BROWSER) $(DEBIAN)/.stamp ## Break everything, often and for long (half an hour); print what was promised, done and seen
	@$(SOAK) -m "not alone" -n 3 --dist loadscope --no-loadscope-reorder $(ARGS)
	@$(SOAK) -m alone $(ARGS) || [ $$? = 5 ]

check: lint types imports locks ## Style, types, import contract and lock files

lint: $(STAMP)
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

types: $(STAMP)
	@$(BIN)/mypy
	@for example in $(sort $(dir $(wildcard examples/*/*.py))); do \
		MYPYPATH=$$example $(BIN)/mypy --explicit-package-bases --exclude '/tests/' $$example || exit 1; done

imports: $(STAMP)
	@$(BIN)/lint-imports --no-logo

locks: $(STAMP)
	@$(BIN)/pytest -q tests/architecture/test_locks.py

fix: $(STAMP) ## Repair what ruff can repair, and format
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: $(STAMP) ## Measure what the documentation claims (ARGS=restate: the same beside Restate)
	@$(BIN)/python -m benchmarks.run $(ARGS)

trace: $(STAMP) ## Count what one task, event, cancel and resume pass through (RECORD=1: write it down)
	@$(BIN)/python -m benchmarks.trace $(if $(filter-out 0,$(RECORD)),--record) $(ARGS)

PORT ?= 9001
ws-echo: $(STAMP) ## Echo at the router's own transport, for suites that test WebSockets (PORT=9001)
	@$(BIN)/python -m tests.security.echo $(PORT)

docs: $(STAMP) ## Build the documentation into site/, broken links are errors
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir site

reference: $(STAMP) ## Rewrite what the documentation has from the code
	@$(BIN)/python -m tests.docs.reference

screenshots: $(STAMP) $(VENDORED) $(BROWSER) ## Make the pictures of all pages anew, from real processes (ARGS="overview tasks": some)
	@$(BIN)/python -m tests.docs.screenshots $(ARGS)

build: $(STAMP) $(VENDORED) ## Build the wheel into dist/
	@$(BIN)/hatchling build -t wheel

lock: $(STAMP) ## Bring the lock files up to date with pyproject.toml (ARGS=--upgrade: newest versions)
	@$(COMPILE) $(ARGS) --all-extras --group dev -o requirements/dev.lock
	@$(COMPILE) --extra server --constraint requirements/dev.lock -o requirements/server.lock
