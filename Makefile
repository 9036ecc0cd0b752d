# napari-landmarker: one word for each job. `make help` lists them.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DIMS ?= 2
OUT ?= landmarker-demo-$(DIMS)d

.DEFAULT_GOAL := help
.PHONY: help setup demo test faults lint screenshots bench constraints clean

help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Environment in .venv, and the few system packages a window needs
	@sh scripts/system_packages.sh window

demo: $(STAMP) ## The main job on real images: train, predict, report, window (DIMS=3 for volumes, OUT=folder)
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ]; then sh scripts/system_packages.sh window; fi
	@$(BIN)/napari-landmarker demo --dims $(DIMS) --out "$(OUT)"

test: setup ## The whole test suite, windows included
	@$(BIN)/python -m pytest -n 2 --dist loadfile tests/engine tests/state tests/contracts
	@$(BIN)/python -m pytest -n 2 --dist loadfile tests/gui

faults: setup ## Kill the window and the session under it 50 times each, at random, and look that no edit is lost
	@LANDMARKER_KILLS=50 $(BIN)/python -m pytest -n 2 -q tests/state/test_faults.py tests/gui/test_faults_window.py

lint: $(STAMP) ## ruff, mypy and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

screenshots: setup ## The pictures in README.md, from the running tool
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ]; then $(BIN)/python scripts/screenshots.py; \
	else xvfb-run -a -s "-screen 0 1600x1000x24" $(BIN)/python scripts/screenshots.py; fi

bench: setup ## How fast engine and window are, and whether values agree with the reference package
	@$(BIN)/python benchmarks/engine_agreement.py
	@$(BIN)/python benchmarks/engine_speed.py
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ]; then $(BIN)/python benchmarks/window.py; \
	else xvfb-run -a -s "-screen 0 1600x1000x24" $(BIN)/python benchmarks/window.py; fi

constraints: $(STAMP) ## Pin what is installed now in constraints.txt
	@sh scripts/constraints.sh

clean: ## Remove the environment and everything that is made
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find napari_landmarker tests scripts benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): pyproject.toml constraints.txt scripts/environment.sh
	@sh scripts/environment.sh "$(VENV)"
	@touch $(STAMP)
