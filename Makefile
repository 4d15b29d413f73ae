# make demo   an environment, then demo/ensemble.h5 and its contact sheet demo/report.png
# make test   an environment with the developers' tools, then style, types and tests
# Another interpreter or place: make demo PYTHON=python3.12 VENV=/somewhere/venv

PYTHON ?= python3
VENV ?= .venv
PER_CLASS ?= 1000

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# The same pin as in constraints.txt. It goes in first, and the constraints keep it, so that no later step
# can bring another.
TORCH := torch==2.13.0

.PHONY: demo test lint clean distclean
.DELETE_ON_ERROR:

demo: $(VENV)/.lcgen
	mkdir -p demo
	$(BIN)/lcgen ensemble --cadence lsst-wfd --per-class $(PER_CLASS) --seed 1 --mean-mag 17 21 --noise depth \
		--output demo/ensemble.h5 --overwrite
	$(BIN)/lcgen inspect demo/ensemble.h5
	$(BIN)/lcgen plot demo/ensemble.h5 --output demo/report.png

test: lint
	$(BIN)/python -m pytest
	cd plugins/lcgen-maf && $(abspath $(BIN))/python -m pytest
	cd plugins/lcgen-lightcurvelynx && $(abspath $(BIN))/python -m pytest

lint: $(VENV)/.lcgen-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

# The stamps make a second run start at once. Building needs hatchling and editables, pinned like all else:
# hence no isolated build environment, which would not obey the constraints.
$(VENV)/.lcgen: $(VENV)/.torch pyproject.toml
	$(PIP) install -c constraints.txt --no-build-isolation --editable '.[plot]'
	touch $@

# Two packages that the tests hold lcgen against come as source only, and build in an environment of their own; so may
# what the plugins build on.
$(VENV)/.lcgen-dev: $(VENV)/.torch pyproject.toml plugins/lcgen-maf/pyproject.toml plugins/lcgen-lightcurvelynx/pyproject.toml
	$(PIP) install -c constraints.txt dust-extinction sncosmo rubin_sim lightcurvelynx
	$(PIP) install -c constraints.txt --no-build-isolation --editable '.[dev]'
	$(PIP) install -c constraints.txt --no-build-isolation --editable plugins/lcgen-maf --editable plugins/lcgen-lightcurvelynx
	touch $@ $(VENV)/.lcgen

$(VENV)/.torch: constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "lcgen needs Python 3.11 or later: make PYTHON=python3.11 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install -c constraints.txt $(TORCH)
	$(PIP) install -c constraints.txt hatchling editables
	touch $@

clean:
	rm -rf build dist demo .pytest_cache .ruff_cache .hypothesis
	find src tests benchmarks plugins -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)
