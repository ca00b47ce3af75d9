# Needs Python 3.11, Java 17, make and git; everything else is brought into .venv and .jars.

PYTHON ?= python3.11 python3.12 python3
VENV := .venv/bin
PACKAGES := cli nextclick collector spark_jobs expectations ml serving triggers analytics dashboard orchestration demo benchmarks tests bootstrap.py
# `make test ARGS="tests/unit -k settings"`, `make bench ARGS=NAME`
ARGS ?=
COMPILE = UV_CUSTOM_COMPILE_COMMAND="make lock" $(VENV)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes $(ARGS)

# Another Spark or Python of the machine must not leak into this one.
unexport SPARK_HOME SPARK_CONF_DIR PYSPARK_PYTHON PYSPARK_DRIVER_PYTHON PYTHONPATH PYTHONHOME VIRTUAL_ENV

# Compiled code is kept (`make clean` removes it): each process of a test run would compile all tests, and what it runs, again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup extras ready demo shop test servers lint bench stress fresh up kafka s3 store validators docs lock clean

help:  ## print this
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-14s %s\n", $$1, $$2}'

setup:  ## virtual environment, locked packages, Delta jars (under a second when there)
extras:  ## the same, and the packages that few need: clients of Kafka, PostgreSQL, buckets; later set-ups keep them
setup extras ready:
	@for python in $(PYTHON); do \
		$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null && exec $$python bootstrap.py $(filter extras,$@)$(if $(filter ready,$@),demo); \
	done; \
	echo "set-up: Python 3.11 was not found. Install it (Debian, Ubuntu: \`apt-get install python3.11 python3.11-venv\`)," \
		"or name it: \`make setup PYTHON=/path/to/python3.11\`." >&2; exit 1

demo: ready  ## a made-up shop's clicks become recommendations
	@$(VENV)/python -m demo $(ARGS)

test: setup  ## the test suite, in two processes
	@$(VENV)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: setup  ## ruff, mypy --strict, import-linter
	$(VENV)/ruff check $(PACKAGES)
	$(VENV)/ruff format --check $(PACKAGES)
	$(VENV)/mypy $(PACKAGES)
	$(VENV)/lint-imports

shop: setup  ## a small shop to click in, its pages ordered by what you click
	@$(VENV)/nextclick shop $(ARGS)

bench: setup  ## the benchmarks, each as a ratio against its baseline
	@$(VENV)/python -m benchmarks $(ARGS)

servers: setup  ## the tests against real servers, each skipped with its reason where its server is absent
	@$(VENV)/python -m pytest -m servers -rs $(ARGS)

stress: setup  ## kills and faults by the hundred, too long for `make test`
	@$(VENV)/python -m pytest -m stress --timeout 3600 $(ARGS)

fresh:  ## a new Debian (debootstrap, root only) sees `make demo` without libgomp, with it, and `make test`
	@tests/fresh_machine.sh

up: setup  ## the Dagster and MLflow pages on loopback
	@$(VENV)/nextclick up $(ARGS)

kafka: setup  ## the jars for Kafka: Spark's source, and a broker for the tests (48 MB)
	@$(VENV)/python -m spark_jobs.jars kafka

s3: setup  ## what Spark needs for a lake in an object store: the S3A connector (13 MB), and classes that are compiled here
	@$(VENV)/python -m spark_jobs.object_store.compiled

store:  ## an object store for the tests: gofakes3, built by Go 1.24 or newer
	@GOBIN="$(CURDIR)/.jars/bin" go install github.com/johannesboyne/gofakes3/cmd/gofakes3@v1.2.0

validators:  ## for the tests of deploy/: kustomize, and the reader of compose files; built by Go 1.24 or newer
	@GOBIN="$(CURDIR)/.jars/bin" go install sigs.k8s.io/kustomize/kustomize/v5@v5.7.1
	@GOBIN="$(CURDIR)/.jars/bin/compose" go install github.com/compose-spec/compose-go/v2/cmd@v2.16.2

docs: setup  ## docs/dataflow.md, docs/settings.md and docs/analytics.md anew from the code
	@$(VENV)/python -m nextclick.dataflow
	@$(VENV)/python -m nextclick.settings.reference
	@$(VENV)/python -m analytics.reference

lock: setup  ## resolve both locks anew from pyproject.toml (ARGS=--upgrade for newer versions)
	$(COMPILE) --extra dev --output-file requirements.lock pyproject.toml
	$(COMPILE) --all-extras --constraint requirements.lock --output-file requirements-extras.lock pyproject.toml \
		$$(sed -nE 's/^([a-z0-9._-]+)==.*/--no-emit-package \1/p' requirements.lock)
	sed -i.old '/^# The following packages were excluded/,$$d' requirements-extras.lock && rm requirements-extras.lock.old

clean:  ## remove .venv, .jars, the demo's lake and every cache; ./lake, which may hold your data, stays
	rm -rf .venv .jars demo-lake benchmarks/out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
