# Everything happens in a virtual environment of its own; only Python, git and make are needed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CODE := neuro_explain dissection reports tests benchmarks

.PHONY: demo test check format lint types clean

demo: $(VENV)/.installed
	$(BIN)/neuro-explain demo

test: $(VENV)/.installed-dev
	$(BIN)/pytest -n auto --dist loadgroup

check: lint types test

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)

types: $(VENV)/.installed-dev
	$(BIN)/mypy

format: $(VENV)/.installed-dev
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e ".[imagenet]"
	touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
