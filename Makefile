# Five targets: demo, test, lint, bench, docs. Each first makes sure that the environment exists.
PY   ?= python3
VENV ?= .venv
BIN  := $(VENV)/bin
# One thread a process: OpenMP threads of several processes spin against one another on few cores.
export OMP_NUM_THREADS ?= 1

.PHONY: help demo test lint bench docs clean
help:
	@echo "make demo   a ticket constructed, certified, rechecked and searched on the shipped digits"
	@echo "make test   the tests, every code block of README and docs among them"
	@echo "make lint   ruff and strict mypy"
	@echo "make bench  the benchmarks of experiments/benchmarks, quick configuration"
	@echo "make docs   the documentation, warnings are errors -> docs/_build/html/index.html"

# The stamp: pip runs again only when what it reads has changed.
$(VENV)/.ok: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PY) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: $(VENV)/.ok
	$(BIN)/strongticket demo

test: $(VENV)/.ok
	$(BIN)/python -m pytest -q -n auto --maxprocesses 8 --dist loadfile

lint: $(VENV)/.ok
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Every file of the folder is a command with a --quick; one that fails does not hide the others.
bench: $(VENV)/.ok
	@failed=""; \
	for file in experiments/benchmarks/[!_]*.py; do \
	  test -e "$$file" || continue; \
	  echo; echo "== $$file"; \
	  $(BIN)/python "$$file" --quick || failed="$$failed $$file"; \
	done; \
	if [ -n "$$failed" ]; then echo "failed:$$failed"; exit 1; fi

docs: $(VENV)/.ok
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

clean:
	rm -rf build dist docs/_build .pytest_cache .mypy_cache .ruff_cache
