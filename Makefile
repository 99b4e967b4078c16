# make demo: install and analyse sample_data/.   make test: everything the tests need, then the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-nojit lint bench clean

demo: $(VENV)/.installed
	$(BIN)/qct analyze sample_data -o demo-output --force
	@echo "Report: $(CURDIR)/demo-output/report.html"
	@echo "        $(CURDIR)/demo-output/report.pdf"

test: $(VENV)/.tested
	$(BIN)/qct warmup
	$(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)

# Compiled lines are invisible to coverage: the kernels' tests once more, interpreted, must reach every line and branch.
test-nojit: $(VENV)/.tested
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m coverage run --data-file=.coverage.kernels --branch --source=src/qct/kernels \
	  --omit='*/ahead.py,*/compiled.py' -m pytest -q -p no:cacheprovider tests/kernels
	@$(BIN)/python -m coverage report --data-file=.coverage.kernels --show-missing --skip-covered --fail-under=100 || \
	  { echo "A kernel has lines or branches that tests/kernels never reaches: see Missing above and add a case to its test."; exit 1; }

lint: $(VENV)/.linted
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.benched
	$(BIN)/python -m pytest benchmarks -o python_files="bench_*.py" -o python_functions="bench_*" --benchmark-columns=min,median,rounds

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.tested: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group test
	@touch $@

$(VENV)/.linted: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group lint
	@touch $@

$(VENV)/.benched: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group test --group bench
	@touch $@

clean:
	rm -rf $(VENV) demo-output
