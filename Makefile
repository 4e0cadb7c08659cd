# racer: `make demo` and `make test` need Python 3.11 or newer and nothing else; they set up .venv on first use.

PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
VENV := .venv/bin
# The stamp carries the folder's checksum, because a virtual environment does not survive being moved.
READY := .venv/.ready-$(shell pwd | cksum | cut -d' ' -f1)
PIP := $(VENV)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
ifeq ($(OS),Windows_NT)
$(error On Windows use the pip lines of README.md)
endif

.PHONY: help demo test test-slow test-lowest lint bench clean
.DEFAULT_GOAL := help

help: ## Say what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1	\2/p' Makefile

demo: $(READY) ## Train a driver for half a minute, race it, draw it, watch it
	@$(VENV)/racer demo

test: $(READY) ## Run the tests, but for the slow ones
	@$(VENV)/python -m pytest -m "not slow" $(PYTEST_ARGS)

test-slow: $(READY) ## Run the slow tests, which need some minutes more
	@$(VENV)/python -m pytest -m slow $(PYTEST_ARGS)

test-lowest: ## Run the tests with the oldest versions of all libraries that pyproject.toml allows
	@test -n "$(PYTHON)" || { echo "racer needs Python 3.11 to 3.13 for this" >&2; exit 1; }
	@$(PYTHON) -m venv --clear .venv-lowest
	@$(PYTHON) tests/lowest.py > .venv-lowest/lowest.txt
	@echo "Installing the oldest versions into .venv-lowest."
	@.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check -r .venv-lowest/lowest.txt -e '.[test]'
	@.venv-lowest/bin/python -m pytest $(PYTEST_ARGS)

lint: $(READY) ## Check style and types
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/mypy

bench: $(READY) ## Measure the speed of everything that has to be fast
	@$(VENV)/python benchmarks/bench.py
	@$(VENV)/python benchmarks/sensors.py

clean: ## Remove the virtual environment and all caches; runs and shelves stay
	rm -rf .venv .venv-lowest build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -not -path './runs/*' -prune -exec rm -rf {} +

$(READY): $(VENV)/python pyproject.toml constraints.txt
	@ls .venv/.ready-* >/dev/null 2>&1 && ! test -f $@ && $(PYTHON) -m venv --clear .venv || true
	@echo "Installing racer into .venv; the first time takes a few minutes."
	@$(PIP) hatchling setuptools
	@$(PIP) --no-build-isolation -e '.[dev]'
	@touch $@

$(VENV)/python:
	@test -n "$(PYTHON)" || { echo "racer needs Python 3.11 or newer. Try: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments. On Debian or Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv --clear .venv
