# Oficina. `make up` is all a newcomer needs; `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
RUN = $(PYTHON) -m deploy.run
VENV = .venv/bin
PACKAGES = $(wildcard servicekit gateway svc-chat svc-image-gen svc-vision svc-translate svc-tts svc-rag svc-code)
SUITES = $(wildcard $(addsuffix /tests,$(PACKAGES)) deploy/tests miniatures/tests tests)
SOURCES = $(addsuffix /src,$(PACKAGES)) deploy
S ?=
M ?=
ARGS ?=
TO ?=
FILE ?=
LOGS ?=
DOCKER ?=

.DEFAULT_GOAL := help
.PHONY: help up down restart status logs backup restore update rollback setup test chaos lint format train-miniatures bench-chat bench-gateway smoke clean python

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 is needed: sudo apt-get install python3.11 python3.11-venv" >&2; exit 1; }

up: python ## install what is missing, start everything, print the link
	@$(RUN) up

down: python ## stop everything; data stays
	@$(RUN) down

restart: python ## stop and start, taking changed code and settings
	@$(RUN) restart

status: python ## one line for each process
	@$(RUN) status

logs: python ## follow the logs; S=svc-chat for one service
	@$(RUN) logs $(S)

backup: python ## one archive of all data, also while everything runs; TO=, LOGS=1, DOCKER=1
	@$(RUN) backup $(TO) $(if $(LOGS),--logs) $(if $(DOCKER),--docker)

restore: python ## put a backup into an empty stack; FILE=backups/oficina-….tar.gz, DOCKER=1
	@$(RUN) restore $(FILE) $(if $(DOCKER),--docker)

update: python ## fetch the newest version, start it, go back when it does not become ready
	@$(RUN) update

rollback: python ## go back to the code and the data from before the last update
	@$(RUN) rollback

setup: python ## install what running and testing need, build the page
	@$(RUN) setup

test: setup ## unit, API, model, end-to-end and browser tests
	$(VENV)/python -m pytest $(SUITES)

chaos: setup ## the long tests: overload, killed and frozen parts, thousands of hostile requests, for minutes
	$(VENV)/python -m pytest -m chaos $(SUITES)

lint: setup ## style, types, direction of imports, sizes, the page's own checks
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy $(SOURCES) miniatures/src
	$(VENV)/lint-imports
	$(VENV)/python -m deploy.sizes
	@test ! -f frontend/package.json || $(RUN) frontend lint

format: setup ## rewrite the Python code in the project's style
	$(VENV)/ruff check --fix .
	$(VENV)/ruff format .

train-miniatures: setup ## train the built-in models again; M=draw for one
	$(VENV)/python -m miniatures train $(or $(M),all)

bench-chat: setup ## measure chat beside other servers; ARGS="--only tokens-8 --rounds 5" for a part
	$(VENV)/python -m tests.bench.chat $(ARGS)

bench-gateway: setup ## measure the gateway beside nginx, LiteLLM and FastAPI; ARGS="--only calls" for a part
	$(VENV)/python -m tests.bench.gateway $(ARGS)

smoke: setup ## build and start the containers, one call a service, stop and remove them
	$(VENV)/python -m deploy.compose_smoke

clean: down ## remove what was built; data stays
	rm -rf frontend/dist frontend/node_modules .venv
