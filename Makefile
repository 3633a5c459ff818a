# One way to do each thing; CI runs the same targets. `make` lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= $(or $(shell command -v python3.11 || command -v python3.12 || command -v python3.13),python3)
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check
PYTEST := $(BIN)/pytest -q -n $(WORKERS)
LOCK := $(BIN)/pip-compile -q --generate-hashes --no-header --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --strip-extras --allow-unsafe

.PHONY: help setup demo test tools lint types unit contract integration e2e fuzz bench bench-fleet bench-matching corpus fmt lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/run.stamp ## Install pratique into .venv from the lock file

demo: setup ## Start everything on this machine and show one image's way (ONCE=1: show it and stop)
	$(BIN)/pratique demo $(if $(ONCE),--once)

test: tools lint types ## Run every check and every test; installs what is missing, which needs root (WORKERS=0: one at a time)
	$(PYTEST) tests

tools: $(VENV)/dev.stamp ## Install the servers and clients that tests use: docker-registry, RabbitMQ, PostgreSQL, cosign ...
	tests/tools/install-servers

lint: $(VENV)/dev.stamp ## Check style, formatting and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/dev.stamp ## Check types, strictly
	$(BIN)/mypy

unit: $(VENV)/dev.stamp ## Run the tests that need no server
	$(PYTEST) tests/unit

contract: $(VENV)/dev.stamp ## Run one suite on each implementation of an interface
	$(PYTEST) tests/contract

integration: $(VENV)/dev.stamp ## Run tests with real servers
	$(PYTEST) tests/integration

e2e: $(VENV)/dev.stamp ## Run pratique whole, as users do
	$(PYTEST) tests/e2e

fuzz: $(VENV)/dev.stamp ## Try every parser with damaged input (SECONDS=300 in all, SEED=1, TARGET="apk rpm*"); 1 if anything was found
	set -f; $(BIN)/python -m tests.fuzz $(if $(filter command%,$(origin SECONDS)),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) $(TARGET)

bench: $(VENV)/dev.stamp ## Measure, and compare with what is written down
	$(BIN)/python -m benchmarks

bench-fleet: $(VENV)/dev.stamp ## Measure what newer advisories cost a fleet (IMAGES=10000,30000,100000): 20 GB of disk, ten minutes the first time
	$(BIN)/python -m benchmarks.fleet $(if $(IMAGES),--images $(IMAGES))

bench-matching: $(VENV)/dev.stamp ## Measure compiling and matching with a mirror of advisories (MIRROR=folder)
	@[ -n "$(MIRROR)" ] || { echo 'name a mirror: make bench-matching MIRROR=folder' >&2; exit 2; }
	$(BIN)/python -m benchmarks.matching "$(MIRROR)"

corpus: $(VENV)/dev.stamp ## Compile a mirror of advisories and count what became of every record (MIRROR=folder; WRITE=1: into docs/matching-data.md)
	@[ -n "$(MIRROR)" ] || { echo 'name a mirror: make corpus MIRROR=folder' >&2; exit 2; }
	$(BIN)/python -m benchmarks.corpus "$(MIRROR)" $(if $(WRITE),--write)

fmt: $(VENV)/dev.stamp ## Format the code
	$(BIN)/ruff check --fix --select I .
	$(BIN)/ruff format .

lock: $(VENV)/dev.stamp ## Renew requirements/*.txt from pyproject.toml (UPGRADE=1: newest versions)
	$(LOCK) $(if $(UPGRADE),--upgrade) --extra dev -o requirements/dev.txt pyproject.toml
	$(LOCK) -c requirements/dev.txt -o requirements/run.txt pyproject.toml
	$(LOCK) -c requirements/dev.txt --only-build-deps --build-deps-for editable -o requirements/build.txt pyproject.toml
	@! grep -nE '://|^--' requirements/*.txt || { echo 'a lock file names a download address'; exit 1; }

clean: ## Remove what was installed and cached here
	rm -rf $(VENV) .tools .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/pip:
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { [ "$$(id -u)" = 0 ] && apt-get -qq update && apt-get -qq -y install --no-install-recommends python3-venv; } \
		|| { echo 'Python 3.11 or newer with venv is missing; as root: apt-get install python3-venv' >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "pratique needs Python 3.11 or newer, not $$("$(PYTHON)" --version)" >&2; exit 1; }
	"$(PYTHON)" -m venv $(VENV)

# Quiet, because pip warns once a package about every index that it is set up with and that lacks the package.
$(VENV)/run.stamp: requirements/run.txt pyproject.toml | $(BIN)/pip
	$(PIP) install -qq --require-hashes -r requirements/build.txt -r requirements/run.txt
	$(PIP) install -qq --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt pyproject.toml | $(BIN)/pip
	$(PIP) install -qq --require-hashes -r requirements/dev.txt
	$(PIP) install -qq --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/run.stamp
