# `make run` and `make test` work from nothing: they find a Python, make .venv, and install the locked dependencies.

.PHONY: run demo-link test test-all defences lint types fmt bench bench-reliability lock images clean
.DEFAULT_GOAL := run

PYTEST ?=
SLOW_PROCESSES ?= 4
DEFENCES ?=
BIN := .venv/bin
unexport PYTHONDONTWRITEBYTECODE  # the tests start many processes, which would compile everything anew
PEERS := bench/speed/peers

run: .venv/run.ready
	@$(BIN)/python -m gateway

# Prints a link to one of the running demo's samples; SAMPLE=lanterns prints another one's.
demo-link:
	@$(BIN)/python -m gateway.demo.link $(SAMPLE)

# The quick tests. They wait little, so each core has one process, and takes the next test when it has none.
test: .venv/dev.ready .venv/swift.ready
	@$(BIN)/python -m pytest -m "not slow" -p no:schemathesis -n auto --dist worksteal $(PYTEST)

# All tests. First the quick ones; the slow ones mostly wait, so more processes than cores run them.
test-all: test
	@$(BIN)/python -m pytest -m slow -n $(SLOW_PROCESSES) --dist loadfile $(PYTEST)

# Takes each defence out in turn, and shows that the tests notice.
defences: .venv/dev.ready
	@$(BIN)/python -m tests.defences $(DEFENCES)

lint: .venv/dev.ready
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: .venv/dev.ready
	@$(BIN)/mypy

fmt: .venv/dev.ready
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

bench: .venv/dev.ready .venv/peers.ready
	@$(BIN)/python -m bench

bench-reliability: .venv/dev.ready
	@$(BIN)/python -m bench.reliability

# Exact versions with hashes, for every platform.
lock: .venv/dev.ready
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header $(LOCK) \
	    requirements.in --output-file requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header $(LOCK) \
	    tests/requirements.in --output-file tests/requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header $(LOCK) \
	    tests/swift-requirements.in --output-file tests/swift-requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header $(LOCK) \
	    $(PEERS)/requirements.in --output-file $(PEERS)/requirements.txt

images: .venv/dev.ready
	@$(BIN)/python -m gateway.demo.paint

clean:
	@rm -rf .venv instance .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/run.ready: requirements.txt | .venv/made
	@echo "Installing what the gateway needs …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

.venv/dev.ready: tests/requirements.txt .venv/run.ready
	@echo "Installing what the tests need …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/requirements.txt
	@touch $@

# Where it cannot be installed, the tests that need it say so, and are skipped.
.venv/swift.ready: tests/swift-requirements.txt | .venv/made
	@echo "Installing the S3 server that the tests use …"
	@rm -rf .venv/swift $@
	@if $(BIN)/python -m venv .venv/swift && .venv/swift/bin/python -m pip install --quiet --disable-pip-version-check \
	    --only-binary :all: --require-hashes -r tests/swift-requirements.txt; \
	then touch $@; else echo "It cannot be installed here." >&2; rm -rf .venv/swift; fi

# Where one of them cannot be installed, the benchmark says so, and compares with the others.
.venv/peers.ready: $(PEERS)/requirements.txt $(PEERS)/package-lock.json | .venv/made
	@echo "Installing what the gateway is compared with …"
	@rm -rf .venv/peers $@ && $(BIN)/python -m venv .venv/peers && cp $(PEERS)/package*.json .venv/peers
	@if .venv/peers/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes \
	    -r $(PEERS)/requirements.txt && (cd .venv/peers && npm ci --silent --no-audit --no-fund); \
	then touch $@; else echo "Not all of it can be installed here." >&2; fi

# macOS has no wheels of gevent for 3.11, so it wants 3.12.
.venv/made:
	@least=11; [ "$$(uname)" = Darwin ] && least=12; \
	for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	  if "$$python" -c "import sys; sys.exit(sys.version_info < (3, $$least))" 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "No Python 3.$$least or newer was found. Install one, for example: apt install python3 python3-venv" >&2; exit 1; \
	fi; \
	echo "Making .venv with $$("$$found" --version) …"; \
	rm -rf .venv; \
	if ! "$$found" -m venv .venv >/dev/null 2>&1; then \
	  rm -rf .venv; \
	  echo "$$found cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; \
	fi
	@touch $@
