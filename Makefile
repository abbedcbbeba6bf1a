# `make run` and `make test` do all their own set-up: Python 3.11 and make are enough.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
HOME_DIR ?= vatra-home
# Processes that run the tests; each needs about a core and 3 GB.
TEST_WORKERS ?= 2

.PHONY: install run up down test lint bench clean

install: $(VENV)/.installed

# One command with the constraints: otherwise torch pulls gigabytes of CUDA packages.
$(VENV)/.installed: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) (about two minutes the first time) ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	@touch $@

run: install
	$(BIN)/vatra build examples --settings examples/settings.yaml --home $(HOME_DIR)

up: install
	$(BIN)/vatra up --home $(HOME_DIR)

down: install
	$(BIN)/vatra down --home $(HOME_DIR)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# One thread for each model: more would wait for one another's core. Files run in their order, the long ones first.
test: install lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(TEST_WORKERS) --no-loadscope-reorder

bench: install
	$(BIN)/python -m benchmarks.parse --mb 150
	$(BIN)/python -m benchmarks.orchestration
	$(BIN)/python -m benchmarks.dedup --rows 200000
	$(BIN)/python -m benchmarks.curation --rows 200000
	$(BIN)/python -m benchmarks.lora
	$(BIN)/python -m benchmarks.nova

clean:
	rm -rf $(VENV) $(HOME_DIR) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
