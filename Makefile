# What there is to do with a clone. `make` lists it.
#
# torch is pinned in pyproject.toml and nowhere else; which build of it pip takes (CPU or CUDA) is
# pip's own configuration (CONTRIBUTING.md).

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
# Compiling every file of every package takes 45 s; what is imported is compiled on first use.
PIP_INSTALL := $(BIN)/python -m pip install --quiet --quiet --no-compile --disable-pip-version-check

# A sweep's tests start some hundred processes: without byte code each compiles torch and Ray anew.
unexport PYTHONDONTWRITEBYTECODE
# Two files at a time, in the order of their names: the longest (cluster, experiments) come first.
PYTEST := $(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

INSTALLED := $(VENV)/.installed
INSTALLED_BENCHMARK := $(VENV)/.installed-benchmark
BENCHMARKS := $(filter-out $(addprefix benchmarks/,projection%.py fuzz_% gradient_% presa_% calibration% conformal_% monitor_%),$(wildcard benchmarks/*.py))

.DEFAULT_GOAL := help
.PHONY: help install run test test-all test-faults lint site docs pictures bench bench-projection dist audit versions clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## make .venv and install the package with its test tools (once)

# The stamp is older than pyproject.toml exactly when the dependencies may have changed.
$(INSTALLED): pyproject.toml
	@echo "installing into $(VENV) with $(PYTHON) (a few minutes the first time)"
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) -e ".[test]"
	$(PIP_INSTALL) --no-deps safety-gymnasium==1.0.0  # it pins packages that are years old
	@touch $@

run: $(INSTALLED) ## the quickstart study, to its report: about two minutes on two cores
	$(BIN)/sport-ray run experiments/studies/quickstart.yaml

test: lint site ## lint, the site, then the tests that CI runs, fast ones first
	$(PYTEST) -m "not slow"
	$(PYTEST) -m "slow and not fault and not long"

test-all: test test-faults ## those, every fault, and what CI has no time for
	$(PYTEST) -m long

test-faults: $(INSTALLED) ## every fault that is injected into sweeps (make test has a few)
	$(BIN)/python -m pytest -q tests/cluster tests/experiments/faults tests/experiments/results/test_ledger.py \
		tests/experiments/results/test_lock.py

lint: $(INSTALLED) ## ruff, mypy, and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

site: $(INSTALLED) ## the documentation as a site, in build/docs; a warning is an error
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -b html docs build/docs

docs: site ## that site, opened in a browser
	$(BIN)/python -m webbrowser -t "file://$(CURDIR)/build/docs/index.html"

pictures: $(INSTALLED) ## the pictures that the documentation shows, from the published results
	$(BIN)/python docs/pictures.py

bench: $(INSTALLED) ## speed of the environment, of rollouts and of training
	@for file in $(BENCHMARKS); do echo "== $$file"; $(BIN)/python $$file || exit 1; done

bench-projection: $(INSTALLED_BENCHMARK) ## the projection against a generic convex solver
	$(BIN)/python benchmarks/projection.py

$(INSTALLED_BENCHMARK): $(INSTALLED)
	$(PIP_INSTALL) -e ".[benchmark]"
	@touch $@

dist: $(INSTALLED) ## source distribution and wheel in dist, as an index would take them
	rm -rf build dist
	$(BIN)/python -m build --no-isolation .
	$(BIN)/python -m twine check --strict dist/*

audit: $(INSTALLED) ## every installed version against PyPI's advisories; fails where they are out of reach
	$(PIP_INSTALL) -e ".[release]"
	@mkdir -p build  # without what is no version of an index: our own, and "+cpu" of torch
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' >build/installed.txt
	$(BIN)/pip-audit --strict --disable-pip --no-deps -r build/installed.txt

versions: $(INSTALLED) ## the oldest and the newest dependencies, each in a fresh environment (PYTHON=…)
	$(PIP_INSTALL) -e ".[release]"
	SPORT_RAY_PYTHON=$(PYTHON) $(BIN)/python -m pytest -q tests/packaging/test_versions.py

clean: ## remove .venv, caches and build files; results stay
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis \
		.import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
