# One environment, made from nothing but Python 3.11 or 3.12 and constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEPLOY_STAMP := $(VENV)/.installed-deploy
DEMO_STAMP := $(VENV)/.installed-demo

.DEFAULT_GOAL := help
.PHONY: help up test lint types pytest console test-console fuzz sbom bench loadtest soak demo constraints clean test-deploy

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

up: $(STAMP) ## start everything on this machine: Redis, MLflow, Triton, sync, gateway
	@$(BIN)/fixgate up $(ARGS)

test: lint types pytest ## linters, types, import rules, the whole test suite with coverage

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive cli contract demo gateway stack sync

types: $(STAMP)
	$(BIN)/mypy

pytest: $(STAMP)
	$(BIN)/coverage erase
	$(BIN)/pytest --numprocesses 2 --dist loadfile --ignore tests/deploy --cov --cov-report=term $(ARGS)

test-deploy: $(DEPLOY_STAMP) ## check containers, Kubernetes, Prometheus' rules and Grafana's dashboards (needs apt-get)
	sh deploy/test-tools.sh .cache/deploy/debian
	$(BIN)/pytest --numprocesses 2 --dist loadfile tests/deploy $(ARGS)

console: console/node_modules/.installed ## build the console's page into gateway/console (needs Node 20 and npm)
	cd console && npm run --silent build

console/node_modules/.installed: console/package.json console/package-lock.json
	cd console && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

test-console: $(STAMP) console/node_modules/.installed ## the console in a real browser on the real stack (needs Node 20; installs Chromium on Debian)
	@command -v chromium >/dev/null || (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium)
	$(BIN)/python -m tests.console $(ARGS)

fuzz: $(STAMP) ## 100,000 broken bodies against a gateway process (a few minutes)
	$(BIN)/python -m tests.fuzz $(ARGS)

bench: $(STAMP) ## measure against the peers; writes benchmarks/RESULTS.md (ARGS="--sections small,tiny")
	$(BIN)/python -m benchmarks $(ARGS)

loadtest: $(STAMP) ## 100 users, then 1,000, against the running stack or one of its own (ARGS="--model tiny")
	$(BIN)/python -m benchmarks.loadtest $(ARGS)

soak: $(STAMP) ## half an hour of mixed traffic with faults; fails on leaks and unexplained errors (ARGS="--minutes 30")
	$(BIN)/python -m benchmarks.soak $(ARGS)

sbom: $(STAMP) ## what each image holds, as CycloneDX files in build/sbom/
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[sbom]'
	@set -e; for image in gateway sync mlflow; do \
	  installs=$$(sed -n 's/.*\(-c constraints.txt\) "\(.*\)".*/\1 \2/p; s#.*-r mlflow.txt.*#-r deploy/docker/mlflow.txt#p' deploy/docker/$$image.Dockerfile); \
	  $(PYTHON) -m venv --clear build/sbom/$$image; \
	  build/sbom/$$image/bin/python -m pip install --quiet --disable-pip-version-check $$installs; \
	  $(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
	    --output-file build/sbom/$$image.cdx.json build/sbom/$$image/bin/python; \
	  rm -rf build/sbom/$$image; \
	done

demo: $(DEMO_STAMP) ## simulate, train and evaluate the demo models again (about fifteen minutes; needs PyTorch)
	$(BIN)/python -m demo.build

constraints: ## pin the newest versions that pyproject.toml allows (needs uv)
	mkdir -p build && sed '/"torch==/d' pyproject.toml > build/pyproject.toml
	echo '# Written by `make constraints`: what `make up` and `make test` install, so that a new release cannot break them.' > constraints.txt
	uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-annotate --no-header \
	  --extra test-deploy --extra sbom --extra demo --extra stack build/pyproject.toml | \
	  sed -e "s/ ; python_full_version < '3.13' and sys_platform == 'linux'$$//" >> constraints.txt
	grep -v '^python-dateutil' constraints.txt > build/constraints.txt
	echo '# Written by `make constraints` from mlflow.in: what the image of MLflow installs. Apart from constraints.txt,' > deploy/docker/mlflow.txt
	echo '# because boto3 wants python-dateutil 2.' >> deploy/docker/mlflow.txt
	uv pip compile --quiet --python-version 3.11 --no-emit-index-url --no-annotate --no-header \
	  -c build/constraints.txt deploy/docker/mlflow.in >> deploy/docker/mlflow.txt

clean: ## remove the environment and all state
	rm -rf $(VENV) .fixgate .mypy_cache .pytest_cache .ruff_cache .coverage* htmlcov

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v in ((3, 11), (3, 12)) else \
	  "fixgate needs Python 3.11 or 3.12, but $(PYTHON) is %d.%d. Name another: make PYTHON=python3.12 ..." % v)'
	$(PYTHON) -m venv $(VENV)

$(STAMP): $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@

$(DEPLOY_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test-deploy]'
	@touch $@

$(DEMO_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[demo]'
	@touch $@
