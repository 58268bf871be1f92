# Every target sets up what it needs; nothing has to be installed by hand but make and Python.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH_STAMP := $(VENV)/.installed-bench

.PHONY: help demo test test-fast bench docs lint lock clean system-packages

help:
	@echo "make demo       set up, then the whole main job on a lab of three nodes, shown step by step"
	@echo "make test       set up, then every test, the live ones on lab nodes included"
	@echo "make test-fast  set up, then the tests that need no lab"
	@echo "make bench      set up, then the benchmarks against Ansible and pyinfra"
	@echo "make docs       write the generated pages again"
	@echo "make lint       ruff and mypy"
	@echo "make lock       pin again what everything is run with (UPGRADE=1: the newest of all)"

system-packages:
	@sh tools/system-packages

$(STAMP): pyproject.toml tools/make-venv requirements/dev.txt
	@PYTHON=$(PYTHON) sh tools/make-venv $(VENV) requirements/dev.txt
	@touch $@

$(BENCH_STAMP): $(STAMP) requirements/bench.txt
	@PYTHON=$(PYTHON) sh tools/make-venv $(VENV) requirements/bench.txt
	@touch $@

demo: system-packages $(STAMP)
	@$(BIN)/python tools/demo.py

test: system-packages $(STAMP)
	@# Whole files go to three workers, each with a lab of its own, the longest first (tests/order.py).
	@SKERRY_FUZZ_CASES=$${SKERRY_FUZZ_CASES:-20000} $(BIN)/python -m pytest tests \
		-n 3 --dist loadfile --no-loadscope-reorder

test-fast: $(STAMP)
	@$(BIN)/python -m pytest tests -m "not live and not slow" -n 2

bench: system-packages $(BENCH_STAMP)
	@$(BIN)/python -m bench

docs: $(STAMP)
	@$(BIN)/python tools/make_docs.py

lint: $(STAMP)
	@$(BIN)/ruff check src tests bench tools
	@$(BIN)/ruff format --check src tests bench tools
	@$(BIN)/mypy

lock:
	@PYTHON=$(PYTHON) sh tools/lock

clean:
	rm -rf $(VENV) .venv-lock .pytest_cache .mypy_cache .ruff_cache .hypothesis
