# Set-up is automatic: every target first makes .venv with the pinned versions.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Two test processes; the tests of a file stay together, so that they share its runs.
WORKERS := -n 2 --dist loadscope --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help install benchmark test test-fast check format speed constraints

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

install: $(READY) ## Make .venv with the pinned versions

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[deep,dicom,fast,importance,dev]'
	@touch $@

benchmark: $(READY) ## Run the whole benchmark on the built-in phantoms and a second hospital of them; report in runs/
	$(BIN)/python run_benchmark.py --test-data other=phantoms:other

test: $(READY) ## Run all tests
	$(BIN)/python -m pytest $(WORKERS)

test-fast: $(READY) ## Run the tests that take no whole run, network fit or other process
	$(BIN)/python -m pytest $(WORKERS) -m "not slow"

check: $(READY) ## Check style, types and docstrings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	find features models benchmarks -name "*.py" | xargs $(BIN)/numpydoc lint

format: $(READY) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

speed: $(READY) ## Time the program against other libraries; table and figures in runs/speed
	$(BIN)/python -m benchmarks.speed

constraints: ## Pin the newest versions that pyproject.toml admits (needs uv)
	uv pip compile --universal --python-version 3.11 --all-extras --upgrade --quiet \
	  --no-annotate --no-header pyproject.toml --output-file constraints.txt
