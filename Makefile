# make demo: install and analyse sample_data/.   make test: everything the tests need, then the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint bench clean

demo: $(VENV)/.installed
	$(BIN)/qct analyze sample_data -o demo-output --force
	@echo "Report: $(CURDIR)/demo-output/report.html"
	@echo "        $(CURDIR)/demo-output/report.pdf"

test: $(VENV)/.tested
	$(BIN)/python -m pytest $(PYTEST_ARGS)

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
