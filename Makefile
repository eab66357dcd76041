# Everything a newcomer or a maintainer runs. `make help` lists it.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
UV     := $(BIN)/uv
NODE   := .node

.DEFAULT_GOAL := help
.PHONY: help demo test browser-test conformance services-test fault-test openadr-test check lock lint types arrows wheel bundle docs dashboards clean

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
	$(BIN)/python -m pytest -n auto --dist loadfile --ignore tests/services --ignore tests/services_influx --ignore tests/services_postgres --ignore tests/browser

browser-test: $(VENV)/.ready ## the console and the cards in a real Chromium (Debian: apt install chromium)
	$(BIN)/python -m pytest --no-skips tests/browser

$(NODE)/.ready: tests/conformance/package.json tests/conformance/package-lock.json
	@command -v npm >/dev/null || { echo "make conformance needs npm: install Node.js, any version from 20 on (it fetches the one it uses into $(NODE)/)"; exit 1; }
	@mkdir -p $(NODE)
	@cp $^ $(NODE)/
	@echo "fetching the conformance suite, the Inspector and Node 22 into $(NODE)/"
	@npm ci --prefix $(NODE) --ignore-scripts --silent || { echo "npm could not fetch them; see: npm ci --prefix $(NODE) --ignore-scripts"; exit 1; }
	@touch $@

conformance: $(VENV)/.ready $(NODE)/.ready ## the official MCP conformance suite, the Inspector and a client's tour, against the server
	$(BIN)/python -m pytest --no-skips -n 2 --dist loadfile $(addprefix tests/conformance/,official_suite.py inspector.py mcp_bundle.py test_tour.py)

services-test: $(VENV)/.ready ## tests on the services that SMARTGRID_KAFKA, SMARTGRID_INFLUX_URL and SMARTGRID_POSTGRES_URL name
	$(BIN)/python -m pytest --no-skips tests/services tests/services_influx tests/services_postgres tests/dispatch tests/pipeline/test_store_conformance.py

fault-test: $(VENV)/.ready ## kills servers and supervisors 50 times, workers of a real stream 20 times, and the broker where SMARTGRID_SERVICES_BIN is set
	$(BIN)/python -m pytest --no-skips tests/faults --kills 50
	$(BIN)/python -m pytest --no-skips tests/services/test_fault.py --kills 20

openadr-test: $(VENV)/.ready ## the OpenADR role against a real VTN (needs cargo and Python 3.12; builds it once)
	UV=$(UV) tests/services_openadr/run.sh -q

check: lint types arrows ## style, types, import arrows

lint: $(VENV)/.ready ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.ready ## mypy strict
	$(BIN)/mypy

arrows: $(VENV)/.ready ## import-linter: which room may import which
	$(BIN)/lint-imports

docs: $(VENV)/.ready ## make the reference in docs/reference from the code
	$(BIN)/python -m smartgrid.reference docs/reference

lock: $(VENV)/.ready ## resolve the dependencies anew for Linux, macOS and Windows
	$(UV) pip compile pyproject.toml --group dev --extra msk --universal --python-version 3.11 --generate-hashes --no-header --quiet --upgrade -o requirements.lock
	$(BIN)/python deploy/aws/build.py --lock

wheel: $(VENV)/.ready ## build the wheel into dist/
	$(UV) build --quiet --wheel

bundle: wheel ## the bundle for Claude Desktop (.mcpb) and its SHA-256, into dist/
	$(BIN)/python deploy/mcpb/build.py

dashboards: $(VENV)/.ready ## write Grafana's dashboards anew
	$(BIN)/smartgrid dashboards deploy/grafana/dashboards

clean: ## remove what was built
	rm -rf $(VENV) $(NODE) dist build demo-report .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
