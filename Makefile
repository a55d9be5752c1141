# `make` alone explains. Every target works from a fresh clone: what is missing is installed first.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup up down logs demo test chaos lint bench simulate planted-bugs soak vectors fmt audit schemas docs lock

BIN := .venv/bin
READY := .venv/.ready
# docker where an engine and Compose run, else native; STACK=native chooses.
STACK ?= $(shell docker compose version >/dev/null 2>&1 && docker info >/dev/null 2>&1 && echo docker || echo native)

help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} \
	  /^##@/ {printf "\n\033[1m%s\033[0m\n", substr($$0, 5)} \
	  /^[a-z][a-z-]*:.*## / {printf "  \033[36m%-12s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '\nDocker Compose is used where an engine runs, else local processes; make STACK=native VERB chooses.\n'

##@ Run
demo: $(READY) ## Start everything, trade for some seconds, show what happened and prove the books
	@[ $(STACK) = docker ] || scripts/setup servers
	@$(BIN)/truetape dev compose-env >/dev/null
	@$(BIN)/truetape demo --stack $(STACK)

up: $(READY) ## Start everything and wait until it is ready
	@if [ $(STACK) = docker ]; then $(BIN)/truetape dev compose-env && docker compose up --detach --build --wait; \
	else scripts/setup servers && $(BIN)/truetape dev up; fi

down: $(READY) ## Stop everything; data stays
	@if [ $(STACK) = docker ] && [ -e .env ]; then docker compose down; fi
	@$(BIN)/truetape dev down

logs: $(READY) ## Follow the logs of all processes
	@if [ $(STACK) = docker ]; then docker compose logs --follow --tail 20; else $(BIN)/truetape dev logs --follow; fi

audit: $(READY) ## Fold the whole tape again and compare it with every view
	@$(BIN)/truetape audit

##@ Develop
setup: ## Install what is missing: Python packages, Java, Kafka, PostgreSQL, Redis
	@scripts/setup all

test: setup ## Lint, types, import contracts and all tests
	@scripts/test

chaos: setup ## Break real processes: LOADS=idle,light,full SCENARIOS=6,8 RESUME=1 (what is not shown yet); writes a page
	@status=0; TRUETAPE_CHAOS=all TRUETAPE_CHAOS_LOADS="$(LOADS)" TRUETAPE_CHAOS_SCENARIOS="$(SCENARIOS)" \
	TRUETAPE_CHAOS_RESUME="$(RESUME)" $(BIN)/pytest -s tests/chaos || status=$$?; \
	$(BIN)/python -m tests.chaos.page; [ $$status != 5 ] || status=0; exit $$status

lint: $(READY) ## Ruff, mypy and the import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

simulate: $(READY) ## Simulate the whole system: SEEDS=1500 FROM=0, or one seed in full: SEED=7
	@$(BIN)/python -m tests.simulation.simulate $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),1500) --from $(or $(FROM),0))

planted-bugs: $(READY) ## Plant each known bug and let the simulation find it
	@$(BIN)/python -m tests.simulation.planted_bugs

soak: $(READY) ## Simulate for so long: MINUTES=60 FROM=1500
	@$(BIN)/python -m tests.simulation.simulate --minutes $(or $(MINUTES),60) --from $(or $(FROM),1500)

vectors: $(READY) ## Run the published margin numbers: VECTORS=../shared/vectors
	@$(BIN)/python -m tests.vectors $(if $(VECTORS),--dir "$(VECTORS)")

fmt: $(READY) ## Format the code and sort the imports
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: setup ## Run every benchmark for real (make bench QUICK=--quick: less)
	@for name in hops order_path clearing matching margin rebuild restore soak; do \
	  $(BIN)/python -m bench.$$name $(QUICK) || exit 1; done

##@ Generate
schemas: $(READY) ## Release changed schemas, write messages.py and wire/records.py
	$(BIN)/python -m truetape.codegen

docs: $(READY) ## Write the generated pages of docs/
	$(BIN)/truetape settings --markdown > docs/configuration.md
	$(BIN)/truetape topics list --markdown > docs/topics.md

lock: $(READY) ## Write the locks from pyproject.toml and the installed packages
	$(BIN)/python scripts/lock.py

$(READY): requirements.lock requirements-dev.lock pyproject.toml
	@scripts/setup python
