# Two commands are enough: `make demo` runs everything on sample data, `make down` stops it.
.DEFAULT_GOAL := help
.PHONY: help setup setup-tests demo up down dashboards status test test-dashboards test-deep test-faults lint

CX := .venv/bin/cx

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: ## Install what is missing: system packages (if allowed), .venv, Kafka and Debezium
	@ops/bootstrap.sh

demo: setup ## Start everything, load the sample tickets, show the published marts
	@$(CX) demo

up: setup ## Start everything in the background
	@$(CX) up --detach

down: ## Stop everything, leave no process
	@if [ -x $(CX) ]; then $(CX) down; else echo "nothing was running"; fi

dashboards: setup ## Show the marts in Apache Superset, beside the running stack
	@$(CX) dashboards start

status: ## Show how every part is
	@$(CX) status

setup-tests: # also what only the tests need: an ODBC client
	@ops/bootstrap.sh tests

lint: setup-tests ## Style, types and import rules
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	cd dbt_project && ../.venv/bin/sqlfluff lint --processes 2 models tests analyses

test: lint ## Everything that runs with each change: lint, unit, integration, end to end, the quick fault tests
	.venv/bin/pytest -q tests/unit tests/integration -m "not long"
	.venv/bin/pytest -q tests/e2e
	.venv/bin/pytest -q tests/faults -m ci

test-faults: setup-tests ## All fault tests (long)
	.venv/bin/pytest tests/faults
	.venv/bin/pytest tests/integration -m long

test-deep: setup-tests ## Every property of the stream's rules, 5,000 examples each (long); says how many ran
	HYPOTHESIS_PROFILE=deep .venv/bin/pytest -q --timeout 3600 --hypothesis-show-statistics tests/unit/stream

test-dashboards: ## Every dashboard in a real browser, on a stack of its own
	@ops/bootstrap.sh browser
	.venv/bin/pytest tests/dashboards
