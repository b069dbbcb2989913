# Every target does its own set-up: `make demo` and `make test` are all a fresh machine needs.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
ARGS   ?=
STAMP  := $(VENV)/.installed

.PHONY: setup demo test check ui types browser format soak compat bench lock docs audit fuzz clean

setup: $(STAMP)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(STAMP): requirements/bootstrap.txt requirements/dev.txt pyproject.toml hatch_build.py | $(BIN)/python
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	$(BIN)/uv pip sync -q --python $(BIN)/python --require-hashes requirements/dev.txt
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup
	$(BIN)/modelkeel demo $(ARGS)

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit -q -c pyproject.toml -r src
	$(BIN)/python ui/toolchain.py check

# The page. `make setup` builds it once; `make ui` builds it again after a change of its sources.
ui: setup
	$(BIN)/python ui/toolchain.py build

# The page's types of the API, generated from the server's OpenAPI description; a test tells when they are old.
types: setup
	$(BIN)/python ui/toolchain.py types

# Debian's Chromium, for the browser tests: installed where we may.
browser:
	@command -v chromium >/dev/null || { [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; } || \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; }

test: check ui browser
	$(BIN)/pytest -n 2 --dist loadfile $(ARGS)

# docs/reference/, from what it describes; a test tells when it is old.
docs: setup
	$(BIN)/python docs/generate.py

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

soak: setup
	$(BIN)/pytest -m soak $(ARGS)

# Against stock MLflow and the libraries that log to it, each in an environment of its own, made on first use.
compat: setup
	$(BIN)/pytest -m compat tests/compat $(ARGS)

bench: setup
	$(BIN)/python -m bench $(ARGS)

# Hashed lock files; no registry's address is written into them.
lock: $(BIN)/uv
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --extra demo --group dev pyproject.toml -o requirements/dev.txt
	echo "uv>=0.8" | $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header - -o requirements/bootstrap.txt

# Known vulnerabilities of the locked packages, and static analysis. Without a network it says what was not looked up.
audit: setup
	$(BIN)/bandit -q -c pyproject.toml -r src
	$(BIN)/python -m tests.security.audit

# Requests made from the API's description, for so many seconds: `make fuzz SECONDS=3600`.
SECONDS ?= 600
fuzz: setup
	MODELKEEL_FUZZ_SECONDS=$(SECONDS) $(BIN)/pytest tests/security/test_schemathesis.py $(ARGS)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
