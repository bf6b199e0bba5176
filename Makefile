# `make compare` and `make test` are where to begin. Each command makes a virtual environment first, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: compare test test-long quick twin docs docs-check lint clean

compare: $(VENV)/ready
	$(BIN)/twin compare lenet --quick

# Everything but long trainings and sweeps.
test: $(VENV)/ready
	$(BIN)/python -m pytest -m "not long"

test-long: $(VENV)/ready
	$(BIN)/python -m pytest -m long

# What needs no framework.
quick: $(VENV)/ready
	$(BIN)/python -m pytest -p tests.helpers.no_framework -m "not framework" -n 2 --dist loadfile

# A twin's own tests: the structure of its files, the ladder, its training. For example: make twin NAME=lenet
twin: $(VENV)/ready
	@test -n "$(NAME)" || { echo "which twin? for example: make twin NAME=lenet"; exit 2; }
	$(BIN)/python -m pytest tests/twins tests/reading tests/port --twin "$(NAME)"

# The pages that commands write, and what the site shows of shapes.
docs: $(VENV)/ready
	$(BIN)/twin differences --md docs/differences.md >/dev/null
	$(BIN)/twin glossary --md docs/glossary.md >/dev/null
	$(BIN)/twin show --measure >/dev/null
	$(BIN)/python docs/korean.py

docs-check: $(VENV)/ready
	$(BIN)/python -m pytest -p tests.helpers.no_framework -m docs tests/docs tests/reading

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; try make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install -qq --constraint constraints.txt --editable '.[all,dev]'
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info runs
