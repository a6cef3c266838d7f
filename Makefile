# Two commands matter: `make demo` (a finished master to listen to) and `make test`.
# Both install what they need first, into .venv in this folder, once.
#
# PyTorch's CPU build suffices. Where PyPI would bring the large CUDA build (Linux), say once:
#   PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make demo

PYTHON ?= python3
EMOTION ?= grief
SONG ?= daiw_master/demo/the_last_ferry.mid
PYTEST_ARGS ?=

BIN := .venv/bin
INSTALLED := .venv/.installed
BENCH_INSTALLED := .venv/.bench-installed
MASTER := demo/$(basename $(notdir $(SONG)))-$(EMOTION).wav
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
# The pins are for Python 3.11 and later; numpy and scipy of that age have left 3.10 behind.
PINS := $(shell $(PYTHON) -c 'import sys; print("-c constraints.txt" if sys.version_info >= (3, 11) else "")')
# Small tensors by the thousand: one thread each is the fastest way through the suite.
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1

.PHONY: demo install test test-all lint readme bench clean
.DELETE_ON_ERROR:

demo: $(INSTALLED)
	@mkdir -p demo
	$(BIN)/daiw-master render $(SONG) --emotion $(EMOTION) -o $(MASTER) --picture
	@echo "master: $(CURDIR)/$(MASTER)"
	@echo "picture: $(CURDIR)/$(MASTER:.wav=.png)"
	@echo "page: $(CURDIR)/$(MASTER:.wav=.report.html)"

test: $(INSTALLED)
	$(ONE_THREAD) $(BIN)/python -m pytest $(PYTEST_ARGS)

test-all: $(INSTALLED)
	$(ONE_THREAD) $(BIN)/python -m pytest -m "slow or not slow" $(PYTEST_ARGS)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# The tables come from the code; the transcript and the pictures from mastering the demo song.
readme: $(INSTALLED)
	$(BIN)/python docs/readme.py --demo
	$(BIN)/python docs/screenshot.py

bench: $(BENCH_INSTALLED)
	$(BIN)/python benchmarks/peers.py

install: $(INSTALLED)

# torch first and alone: an unpinned torch behind another package may pull gigabytes.
$(INSTALLED): pyproject.toml constraints.txt .ci/system-packages
	@PYTHON=$(PYTHON) .ci/system-packages
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "python packages: installing into .venv (minutes the first time)"
	@$(PIP) $(PINS) torch==2.13.0
	@$(PIP) $(PINS) -e '.[dev]'
	@touch $@

$(BENCH_INSTALLED): $(INSTALLED)
	@$(PIP) $(PINS) -e '.[bench]'
	@touch $@

clean:
	rm -rf .venv demo build dist benchmarks/results .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
