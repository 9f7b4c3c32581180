# Fanout: everything a developer does, from a fresh clone, with python3 (3.11 or newer), pip, venv and make.
# `make` alone lists the targets. Each target installs what it needs first, and only once.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# More arguments for the command behind a target: make test ARGS="-k filters", make demo ARGS="--seed 7".
ARGS   ?=

# Wheels only: a newcomer has no compiler. With hashes: what we tested is what is installed.
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# One lock for every Python and architecture. No index is named in it; the reader's own pip knows one.
# Versions stay as they are while pyproject.toml allows: make lock LOCK_ARGS=--upgrade takes newer ones.
LOCK_ARGS ?=
LOCK := uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
        --only-binary :all: --no-header --no-emit-index-url $(LOCK_ARGS)

LOCAL_STAMP := $(VENV)/.installed-local
DEV_STAMP   := $(VENV)/.installed-dev

# dev or prod, and what is given instead of made: make synth CONTEXT="alarmEmail=you@example.org".
STAGE   ?= dev
CONTEXT ?=
# CDK's command line, which uploads and deploys what synth made; it needs an account, synth does not.
CDK_CLI := 2.1148.1
WHEELS_STAMP := build/wheels/.fetched

TYPED := $(wildcard shared consumers infra dashboards ops bench tests)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo test lint format lock bench wheels synth deploy simulate chaos chaos-each fuzz mutate clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(DEV_STAMP) ## Make .venv with everything that development needs

demo: $(LOCAL_STAMP) ## Run the whole pipeline on this machine and verify every projection
	$(BIN)/fanout demo $(ARGS)

test: $(DEV_STAMP) ## Run the tests
	$(BIN)/python -m pytest $(ARGS)

lint: $(DEV_STAMP) ## Check style, format, types and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(TYPED)
	$(BIN)/lint-imports --no-logo

format: $(DEV_STAMP) ## Rewrite the code in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: ## Compile requirements/*.txt anew from pyproject.toml (needs uv on the PATH)
	$(LOCK) --extra dev --group build -o requirements/dev.txt
	$(LOCK) --extra local --group build -c requirements/dev.txt -o requirements/local.txt
	$(LOCK) -c requirements/dev.txt -o requirements/runtime.txt

wheels: $(WHEELS_STAMP) ## Fetch the packages of the functions, for Lambda's processors

synth: $(DEV_STAMP) $(WHEELS_STAMP) ## Make the CloudFormation templates of STAGE, and check them
	$(BIN)/python -m infra.aws.app stage=$(STAGE) $(CONTEXT)

deploy: synth ## Deploy STAGE to the AWS account that you are signed in to (docs/aws.md)
	$(BIN)/python -m infra.aws.engine npx --yes aws-cdk@$(CDK_CLI) deploy --app build/cdk.out --all $(ARGS)

bench: $(DEV_STAMP) ## Measure everything against honest baselines; keep the figures and the plot
	$(BIN)/python -m bench run --keep --plot $(ARGS)

simulate: $(DEV_STAMP) ## Simulate a day of the event source mapping: reshardings, faults, kills
	$(BIN)/python -m tests.simulation.day $(ARGS)

chaos: $(LOCAL_STAMP) ## Break everything a thousand times, and prove that nothing is lost
	$(BIN)/fanout chaos --faults 1000 --seconds 2400 $(ARGS)

chaos-each: $(LOCAL_STAMP) ## Break one kind of thing at a time, each on a pipeline of its own
	$(BIN)/fanout chaos --each --faults 20 --seconds 300 $(ARGS)

fuzz: $(DEV_STAMP) ## A million damaged records through every consumer, then the guided fuzzer
	$(BIN)/python -m tests.fuzz $(ARGS)

mutate: $(DEV_STAMP) ## Take out one safeguard at a time: a test must notice each
	$(BIN)/python -m tests.mutation $(ARGS)

clean: ## Remove .venv and everything that tools left behind
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

$(LOCAL_STAMP): requirements/local.txt pyproject.toml | $(BIN)/pip
	@echo "Installing what one machine needs (once) ..."
	@$(PIP_INSTALL) --only-binary :all: --require-hashes -r requirements/local.txt
	@$(PIP_INSTALL) --no-index --no-deps --no-build-isolation --editable .
	@touch $@

$(WHEELS_STAMP): requirements/runtime.txt infra/aws/bundle/fetch.py | $(DEV_STAMP)
	@echo "Fetching the packages of the functions (once) ..."
	@$(BIN)/python -m infra.aws.bundle.fetch $(@D)
	@touch $@

# dev.txt contains local.txt with the same versions, so installing it serves both.
$(DEV_STAMP): requirements/dev.txt requirements/local.txt pyproject.toml | $(BIN)/pip
	@echo "Installing what development needs (once) ..."
	@$(PIP_INSTALL) --only-binary :all: --require-hashes -r requirements/dev.txt
	@$(PIP_INSTALL) --no-index --no-deps --no-build-isolation --editable .
	@touch $(LOCAL_STAMP) $@

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Fanout needs Python 3.11 or newer as '$(PYTHON)'. Install one and say which: make PYTHON=python3.12 ..." >&2; \
	  exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) has no venv module. On Debian: apt-get install python3-venv" >&2; \
	  exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
