# Everything starts here. Nothing is assumed but make and Python 3.11; the first target that needs .venv builds it.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
export PYTHONHASHSEED := 0

.PHONY: demo test lint ui bench sweep clean lock screenshot
.DEFAULT_GOAL := demo

# --no-deps: the lock is complete, and pip's resolver would only repeat it.
.venv: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "python3.11 is not on PATH; install it, or run make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Pleiades needs Python 3.11 or newer"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch .venv

demo: .venv ## three simulated days, end to end
	$(BIN)/pleiades demo

ui: .venv ## Dagster's UI on what the demo left behind
	$(BIN)/pleiades --home .pleiades/demo ui

lint: .venv
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

test: lint ## everything that must hold, in under ten minutes
	$(BIN)/python -m pytest -q -m "not sweep" -n 2 --dist loadfile

sweep: .venv ## the slow half of the tests
	$(BIN)/python -m pytest -q -m sweep

bench: .venv ## what the demo costs; what is found of a day's uploads, how late, for how many units; what a command costs
	$(BIN)/python -m benchmarks.demo --json
	$(BIN)/python -m benchmarks.discovery --json
	$(BIN)/python -m benchmarks.cli --json

screenshot: .venv ## the pictures in docs/, from the demo that was played; needs Chromium
	PLEIADES_SCREENSHOTS=1 PLEIADES_DEMO_HOME=.pleiades/demo $(BIN)/python -m pytest -q tests/browser

lock: ## after a change of dependencies in pyproject.toml; needs uv
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 --extra dev -o requirements.lock pyproject.toml

clean: ## remove everything that these targets made
	rm -rf .venv .pleiades *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
