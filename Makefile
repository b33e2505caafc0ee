# Which lock file (STACK=tensorflow-io or current) and which Python (PYTHON=python3.13):
# by default the first that goes. A stack that is named has an environment of its own.
STACK ?=
PYTHON ?=
VENV ?= .venv$(if $(STACK),-$(STACK))
BIN := $(VENV)/bin
ifeq ($(STACK),oldest)
  $(error STACK=oldest is for `make test-oldest` alone: it has not all that the others need)
endif

.PHONY: quickstart experiments audioset test test-long test-optional test-oldest test-slow lint benchmarks growth \
  docs environment detection deploy lock

quickstart: environment
	$(BIN)/python -m audioset_ml.quickstart --output_dir=quickstart

# In the order of the files: the fewest tests, which xdist leaves for last, take longest.
IN_TWO := -n 2 --dist loadfile --no-loadscope-reorder

test: lint
	$(BIN)/python -m pytest $(IN_TWO)

# The tests that take many seconds each.
test-long: environment
	$(BIN)/python -m pytest -m 'long and not slow' $(IN_TWO)

# Of `make test`, the tests that skip without Chromium, sed_scores_eval or ONNX.
test-optional: detection deploy
	$(BIN)/python -m pytest -m 'optional and not slow'

# A few tests of every part, on the oldest versions that setup.py allows.
test-oldest:
	@environments/make.sh .venv-oldest oldest
	.venv-oldest/bin/python -m pytest -m 'few and not (long or slow)' -n 2 --dist loadfile

test-slow: environment
	$(BIN)/python -m pytest -m slow --timeout=1800

lint: environment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# All results of experiments/*/results; stopped and started again, it goes on.
experiments: environment
	experiments/run.sh

# Both papers on real AudioSet: FEATURES is features.tar.gz or its folder, LABELS the folder
# of AudioSet's CSVs, TSVs and ontology; stopped and started again, it goes on. PART=methods
# compares other methods for missing labels instead, PART=all does both; TRAIN=all trains on
# all two million clips.
audioset: environment
	PYTHON="$(BIN)/python" TRAIN="$(TRAIN)" PART="$(PART)" \
	  experiments/audioset_features/run.sh "$(FEATURES)" "$(LABELS)"

# Into benchmarks/results.md; takes hours.
benchmarks: environment
	$(BIN)/python benchmarks/run_all.py

# Time and memory of each stage from 10 clips on to CLIPS: a table and a picture in
# build/growth. GROWTH has further flags: --embeddings, of which two million fit on a disk.
CLIPS ?= 10000
growth: environment
	$(BIN)/python benchmarks/growth.py --output_dir=build/growth --clips=$(CLIPS) $(GROWTH)

# The documentation as a site, build/site/index.html; warnings are errors.
docs: environment
	@environments/docs.sh .venv-docs "$(BIN)/python"
	$(BIN)/python docs/gather.py build/docs --tutorials=build/tutorials
	.venv-docs/bin/sphinx-build --quiet --fail-on-warning --keep-going build/docs build/site

# The virtual environment; made anew when its lock file or setup.py changes.
environment:
	@environments/make.sh "$(VENV)" "$(STACK)" "$(PYTHON)"

# What the tests hold `evaluate --detection` against; it is compiled: needs a C compiler.
detection: environment
	$(BIN)/python -m pip install --quiet --no-deps --requirement environments/detection.lock

# What `export --formats=onnx` needs beyond, LiteRT's own runtime, and the messages of TensorFlow
# Serving, which are of TensorFlow's version.
deploy: environment
	$(BIN)/python -m pip install --quiet --no-deps --requirement environments/deploy.lock
	$(BIN)/python -m pip install --quiet --no-deps "tensorflow-serving-api==$$($(BIN)/python -c \
	  'import importlib.metadata as m; print(*m.version("tensorflow").split(".")[:2], sep=".")').*"

# The lock files anew, from the ranges of setup.py.
lock: environment
	environments/lock.sh "$(BIN)/python"
