# `make compare` and `make test` are where to begin. Each command makes a virtual environment first, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Two processes of tests beside each other, a file in one of them; the tests that wait for a measurement come last.
BESIDE := -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: compare test test-long quick twin docs docs-check picture pictures lint clean

compare: $(VENV)/ready
	$(BIN)/twin compare lenet --quick

# Everything but long trainings and sweeps.
test: $(VENV)/ready
	$(BIN)/python -m pytest -m "not long" $(BESIDE)

# With MINUTES=20, those that begin within twenty minutes; which these are changes with each commit.
test-long: $(VENV)/ready
	$(BIN)/python -m pytest -m long $(BESIDE) $(if $(MINUTES),--minutes $(MINUTES))

# What needs no framework, and no attack on it: a minute.
quick: $(VENV)/ready
	$(BIN)/python -m pytest -p tests.helpers.no_framework -m "not framework and not long and not slow" --ignore tests/attacks $(BESIDE)

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
	$(BIN)/python docs/deployment.py

# The pictures on the site's pages: what each model does after a training in native PyTorch, and what exercises compute.
pictures: $(VENV)/ready
	rm -rf build/pictures
	$(BIN)/twin train --all --engine torch --out build/pictures || test $$? = 3
	$(BIN)/python docs/pictures.py build/pictures/*.json

docs-check: $(VENV)/ready
	$(BIN)/python -m pytest -p tests.helpers.no_framework -m docs tests/docs tests/reading

# The checks of .pre-commit-config.yaml, over every file.
lint: $(VENV)/ready
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pre-commit run --all-files

# The README's picture, docs/report.png. Needs Debian's packages chromium and chromium-driver.
picture: $(VENV)/ready
	rm -rf build/picture
	$(BIN)/twin compare lenet --quick --out build/picture
	$(BIN)/twin report build/picture/*.json --html build/picture/report.html
	$(BIN)/python -m docs.picture build/picture/report.html

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; try make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install -qq --constraint constraints.txt --editable '.[all,dev]'
	touch $@
	@echo 'The command is $(BIN)/twin. To type only "twin": source $(BIN)/activate'

clean:
	rm -rf $(VENV) build *.egg-info runs
