# Everything a newcomer or a maintainer runs. `make help` lists it.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
UV     := $(BIN)/uv

.DEFAULT_GOAL := help
.PHONY: help demo test services-test fault-test check lock lint types arrows wheel clean

help: ## list what one can do
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else f"SmartGrid-AI needs Python 3.11 to 3.13, {sys.executable} is {v[0]}.{v[1]}: run make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep -o '^uv==[0-9.]*' requirements.lock)"
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@

demo: $(VENV)/.ready ## the main job: one simulated day, then one day of real data, with a report
	$(BIN)/smartgrid demo --then-sample --out demo-report

test: $(VENV)/.ready ## all tests that need Python alone
	$(BIN)/python -m pytest -n auto --dist loadfile --ignore tests/services --ignore tests/services_influx

services-test: $(VENV)/.ready ## tests on the services that SMARTGRID_KAFKA and SMARTGRID_INFLUX_URL name
	$(BIN)/python -m pytest --no-skips tests/services tests/services_influx tests/pipeline/test_store_conformance.py

fault-test: $(VENV)/.ready ## kills workers of a real stream 20 times, and the broker where SMARTGRID_SERVICES_BIN is set; prints a table
	$(BIN)/python -m pytest --no-skips tests/services/test_fault.py --kills 20

check: lint types arrows ## style, types, import arrows

lint: $(VENV)/.ready ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.ready ## mypy strict
	$(BIN)/mypy

arrows: $(VENV)/.ready ## import-linter: which room may import which
	$(BIN)/lint-imports

lock: $(VENV)/.ready ## resolve the dependencies anew for Linux, macOS and Windows
	$(UV) pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-header --quiet --upgrade -o requirements.lock

wheel: $(VENV)/.ready ## build the wheel into dist/
	$(UV) build --quiet --wheel

clean: ## remove what was built
	rm -rf $(VENV) dist build demo-report .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
