# Each target works alone on a machine that has Python 3.11 or newer (with venv) and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# What looks after the dependencies has an environment of its own.
TOOLS := .tools
TOOLS_INSTALLED := $(TOOLS)/.installed
ITEMS ?= 8
FILES ?= 2
SESSIONS ?= 10000
MESSAGES ?= 1000000
HOSTILE ?= 100000
SEED ?= 7

.DEFAULT_GOAL := help
# Where tests/editors finds the editors it drives.
export DEVSTRAL_LS_EDITOR_RIGS ?= $(HOME)/.cache/devstral-ls-rigs

NODE_MODULES := editors/vscode/node_modules/.package-lock.json
VSIX := build/devstral-ls.vsix

.PHONY: help install demo test starter rigs test-editors vscode fuzz check check-deps sbom licences format bench docs lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## make .venv and install the exact versions of requirements.lock

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "devstral-ls needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ echo "python3 -m venv failed: on Debian and Ubuntu, apt-get install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

demo: $(INSTALLED) ## fetch the starter model if there is none, and print real suggestions
	@$(BIN)/devstral-ls demo

test: $(INSTALLED) ## run the whole test suite (once: fetches the 98 MB model `tiny`, Neovim and Emacs, 1 GB)
	@$(BIN)/devstral-ls model pull tiny
	@PYTHON=$(BIN)/python editors/rigs/get.sh nvim11 nvim12 emacs28 emacs30
	$(BIN)/python -m pytest

starter: $(INSTALLED)
	@$(BIN)/devstral-ls model pull starter

rigs: $(INSTALLED) ## fetch every editor that can be had here; VS Code needs npm, and root unless Chromium is there
	@PYTHON=$(BIN)/python editors/rigs/get.sh

test-editors: rigs starter ## run the tests in real editors (fetches the 491 MB model `starter` once)
	$(BIN)/python -m pytest tests/editors

fuzz: $(INSTALLED) ## random messages over stdio and hostile files, for hours (SESSIONS, MESSAGES, HOSTILE say how many)
	$(BIN)/python -m benchmarks.fuzz_files --files $(HOSTILE) --seed $(SEED)
	$(BIN)/python -m benchmarks.fuzz_ignores --paths 10000 --seed $(SEED)
	$(BIN)/python -m benchmarks.fuzz_protocol --messages $(MESSAGES) --seed $(SEED)
	DEVSTRAL_LS_FUZZ=$(SESSIONS) $(BIN)/python -m pytest tests/fuzz

vscode: $(NODE_MODULES) $(INSTALLED) ## check, test and pack the VS Code extension with the server in it: build/devstral-ls.vsix (needs npm, Node 20)
	cd editors/vscode && npm run --silent check && npm test --silent
	@mkdir -p build
	cd editors/vscode && npm run --silent package -- -o ../../$(VSIX)

$(NODE_MODULES): editors/vscode/package-lock.json
	@command -v npm >/dev/null || { echo "there is no npm: on Debian and Ubuntu, apt-get install npm" >&2; exit 1; }
	cd editors/vscode && npm ci --no-audit --no-fund --loglevel=error

check: $(INSTALLED) ## format, lint, types, import contracts, house tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/house

$(TOOLS_INSTALLED): supply/requirements.lock
	@test -x $(TOOLS)/bin/python || $(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r supply/requirements.lock
	@touch $@

check-deps: $(TOOLS_INSTALLED) ## ask pip-audit and npm audit what is known against the locked dependencies (needs npm)
	$(TOOLS)/bin/python -m supply.advisories $(TOOLS)/bin/pip-audit requirements.lock supply/requirements.lock

sbom: $(TOOLS_INSTALLED) ## write the bills of materials, CycloneDX, to dist/ (needs npm)
	@mkdir -p dist
	$(TOOLS)/bin/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-reproducible \
		--of JSON --output-file dist/devstral-ls.cdx.json
	cd editors/vscode && npm sbom --sbom-format cyclonedx --package-lock-only > ../../dist/devstral-ls-vscode.cdx.json

licences: $(INSTALLED) $(TOOLS_INSTALLED) ## write docs/licences.md
	$(TOOLS)/bin/python -m supply.licences $(TOOLS)/bin/pip-licenses $(BIN)/python > docs/licences.md.new
	@mv docs/licences.md.new docs/licences.md

format: $(INSTALLED) ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: starter ## measure; results and report.html in benchmarks/results/ (ITEMS=1000 FILES=12: all of it)
	$(BIN)/python -m benchmarks.latency
	$(BIN)/python -m benchmarks.reuse
	$(BIN)/python -m benchmarks.holes --limit $(ITEMS)
	$(BIN)/python -m benchmarks.replay --files $(FILES) --characters 200
	$(BIN)/python -m benchmarks.report

docs: $(INSTALLED) ## write the pages that are made from the code
	$(BIN)/devstral-ls settings --markdown > docs/settings.md
	$(BIN)/devstral-ls settings --schema > docs/settings.schema.json
	$(BIN)/python editors/vscode/write_settings.py

lock: ## renew requirements.lock (needs uv)
	uv pip compile pyproject.toml --extra dev --extra editors --extra ctransformers --universal --python-version 3.11 --generate-hashes --no-annotate \
		--custom-compile-command "make lock" --output-file requirements.lock --quiet --upgrade
	uv pip compile supply/requirements.in --universal --python-version 3.11 --generate-hashes --no-annotate \
		--custom-compile-command "make lock" --output-file supply/requirements.lock --quiet --upgrade

clean: ## remove .venv and everything else that was made here; models stay
	rm -rf $(VENV) $(TOOLS) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
