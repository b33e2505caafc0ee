PYTHON ?= $(shell command -v python3.11 || echo python3)
VENV := .venv
BIN := $(VENV)/bin

.PHONY: quickstart experiments test test-slow lint benchmarks sed

# The virtual environment, from the lock file; made anew when the lock changes.
$(VENV)/installed: requirements.lock setup.py
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info[:2] == (3, 11) else \
	  "Python 3.11 is needed; name it with: make PYTHON=/path/to/python3.11 ...")'
	@echo "Installing into $(VENV): 3 GB, a minute or two"
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# What `evaluate --detection` needs beyond; it is compiled, so a C compiler is needed.
sed: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --no-deps --requirement requirements-sed.lock

quickstart: $(VENV)/installed
	$(BIN)/python -m audioset_ml.quickstart --output_dir=quickstart

# All results of experiments/*/results; stopped and started again, it goes on.
experiments: $(VENV)/installed
	experiments/run.sh

# In the order of the files: the fewest tests, which xdist leaves for last, take longest.
test: lint
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-slow: $(VENV)/installed
	$(BIN)/python -m pytest -m slow --timeout=1800

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

benchmarks: $(VENV)/installed
	for file in benchmarks/bench_*.py; do $(BIN)/python $$file || exit 1; done
