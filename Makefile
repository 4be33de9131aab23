# Two commands on a fresh machine: `make demo`, `make test`. Everything goes into .venv beside this file.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: demo test serve bench lint docs clean
.DEFAULT_GOAL := demo

# One stamp per set of extras: installing is repeated only when pyproject.toml changed.
$(VENV)/.installed-%: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[$*]"
	touch "$@"

demo: $(VENV)/.installed-demo
	$(BIN)/taskgraft demo $(ARGS)

serve: $(VENV)/.installed-demo
	$(BIN)/taskgraft serve $(ARGS)

# Three at a time on two cores: many tests wait for processes that they start. Files stay whole, since their tests share
# servers.
test: $(VENV)/.installed-test
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(VENV)/.installed-test $(VENV)/.installed-lint
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

# The site is site/index.html; a warning is an error, and nothing is fetched.
docs: $(VENV)/.installed-docs
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet -d site/.doctrees docs site

bench: $(VENV)/.installed-bench
	$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf $(VENV) taskgraft-demo site
