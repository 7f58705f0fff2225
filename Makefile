# `make run` and `make test` do all the set-up: a virtual environment in .venv, the install, then the job.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Real traffic for the main job, if it lies here; without it `simmst run` makes a synthetic target city.
SIMMST_DATA ?= $(wildcard ../shared/data/jinan.npz)
export SIMMST_DATA
# Small matrices everywhere: BLAS threads only wait for each other there. (torch sets its own.)
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: run test test-slow newest coverage bench docs lint clean setup
setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else "cutplane needs Python 3.11 to 3.13, this is %d.%d: make PYTHON=python3.12" % v)'
	@echo 'installing into $(VENV), some minutes the first time'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[simmst,serve,reference,plot,docs,test]'
	touch $(STAMP)

run: $(STAMP)
	$(BIN)/simmst run

# two processes, of one thread each: threads of both would wait for each other
test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow

# the solvers' quick tests with the newest versions that pyproject.toml allows, in an environment of their own; where
# no registry answers within two minutes there is nothing to try
NEWEST := .venv-newest
SOLVER_TESTS := $(addprefix tests/cutplane/,programs/test_highs.py programs/test_dense_lp.py programs/test_wide_lp.py \
	masters test_sets.py oracles/test_quadratic_level.py)
newest:
	test -x $(NEWEST)/bin/python || $(PYTHON) -m venv $(NEWEST)
	$(NEWEST)/bin/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], "pytest", "hypothesis", sep="\n")' > $(NEWEST)/wanted.txt
	if timeout 120 $(NEWEST)/bin/python -m pip install -q --upgrade --prefer-binary -r $(NEWEST)/wanted.txt; then \
		$(NEWEST)/bin/python -m pip freeze; \
		timeout 600 $(NEWEST)/bin/python -m pytest $(SOLVER_TESTS); \
	else echo 'newest versions not tried: no registry answered in time'; fi

# statement coverage of the library by its own tests
coverage: $(STAMP)
	$(BIN)/python -m pytest tests/cutplane tests/properties --cov --cov-report=term-missing:skip-covered --cov-fail-under=95

# short forms of the benchmarks of cutplane, some minutes; peers that are not installed are left out by name
BENCHMARKS := planes wide_lp nonsmooth growth hypercleaning throughput
bench: $(STAMP)
	for name in $(BENCHMARKS); do $(BIN)/python benchmarks/$$name.py --short --out runs/bench || exit 1; done

# the documentation as pages in site/, which open from disk; any warning is an error
docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy cutplane simmst
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) $(NEWEST) site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
