# Everything starts here. Nothing is assumed but make and Python 3.11; the first target that needs .venv builds it.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PORT ?= 3000
export PYTHONHASHSEED := 0

.PHONY: demo test lint ui bench sweep smoke clean lock screenshot image-check
.DEFAULT_GOAL := demo

# --no-deps: the lock is complete, and pip's resolver would only repeat it. requirements-dev.lock holds requirements.lock's versions too.
.venv: requirements-dev.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "python3.11 is not on PATH; install it, or run make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Pleiades needs Python 3.11 or newer"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch .venv

demo: .venv ## three simulated days, end to end
	$(BIN)/pleiades demo

# Ctrl-C reaches the shell as well: the trap has it wait for the UI, which ends with 130 once it has stopped everything.
ui: .venv ## Dagster's UI on what the demo left behind, on 127.0.0.1:$(PORT)
	@trap : INT; $(BIN)/pleiades --home .pleiades/demo ui --port $(PORT) || [ $$? -eq 130 ]

lint: .venv
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy
	$(BIN)/deptry .
	$(BIN)/hadolint deploy/Dockerfile
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec deploy/compose.yaml
	$(BIN)/shellcheck deploy/entrypoint.sh .ci/run

test: lint ## everything that must hold, in under ten minutes
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

sweep: .venv ## the slow half of the tests
	$(BIN)/python -m pytest -q -m sweep

smoke: .venv ## a first look at the deployment that PLEIADES_HOME, DATABASE_URL and the other settings name; a unit a key
	$(BIN)/python -m pytest -q -p no:cacheprovider -m smoke tests/smoke

bench: .venv ## what the demo, the discovery of a day and a command cost; the structure of the code in figures
	$(BIN)/python -m benchmarks.demo --json
	$(BIN)/python -m benchmarks.discovery --json
	$(BIN)/python -m benchmarks.cli --json
	$(BIN)/python -m benchmarks.structure --json

screenshot: .venv ## the pictures in docs/, from the demo that was played; needs Chromium
	PLEIADES_SCREENSHOTS=1 PLEIADES_DEMO_HOME=.pleiades/demo $(BIN)/python -m pytest -q tests/browser

image-check: .venv ## builds the image without Docker and runs it; needs root, buildah and debootstrap
	$(BIN)/python -m benchmarks.image --json

# Versions that are locked stay: remove a file first to have everything in it at its newest.
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11
lock: .venv ## after a change of dependencies in pyproject.toml
	$(LOCK) --group dev --extra gcp -o requirements-dev.lock pyproject.toml
	$(LOCK) --constraints requirements-dev.lock -o requirements.lock pyproject.toml
	$(LOCK) --constraints requirements-dev.lock --group build -o requirements-build.lock

clean: ## remove everything that these targets made
	rm -rf .venv .pleiades *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
