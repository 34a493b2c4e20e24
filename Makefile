# Each target does all of its own set-up: a fresh clone and Python 3.11 or newer are enough.

# Not all that the tests need is there for Python 3.15: it is taken where there is no other.
PYTHON ?= $(shell for below in 15 99; do for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, $$below))" 2>/dev/null && echo $$python && exit; \
	done; done)
BIN := .venv/bin
# Tests run on all cores; 0 runs them in one process.
WORKERS ?= auto
# What `make test-all` does where something is missing: `all` fails, an empty value leaves it out.
MODE ?= all
MINUTES ?= 5
CASES ?= 1000
READY := .venv/.ready
FULL := .venv/.full
EMPTY := build/empty
BENCH := build/bench
WEEKLY := build/weekly
# Ray leaves processes to the interpreter's end.
WARNINGS_ray := -W ignore::ResourceWarning -W ignore::pytest.PytestUnraisableExceptionWarning
TESTS_ray := tests/scale/ray
NEEDS_ray := .[ray]
# Kosong fits none of the newer clients of OpenAI, and needs Python 3.12: else its tests take its parts' short form.
TESTS_kosong := tests/formats/test_kosong.py tests/integrations/test_kosong.py
NEEDS_kosong := . kosong
# LiteLLM's proxy fixes the versions of many packages.
TESTS_litellm := tests/sdks/test_litellm_proxy.py
NEEDS_litellm := .[serve] litellm[proxy]
# Tests that others have published, in the versions that were read.
TESTS_published := tests/attacks/test_published.py
NEEDS_published := .[serve,vault] chunk-invariance==0.2.0 pii-leak-benchmark[validate]==0.6.0
TOOLS := build/tools
# `make test LOCKED=1` takes the versions of requirements-dev.txt, otherwise the newest that fit.
LOCKED ?=
# Modules are compiled when they are first imported: most that are installed never are.
INSTALL := -m pip install --quiet --no-compile
unexport PYTHONDONTWRITEBYTECODE
RIVALS := ijson sether safestream-redactor llm-stream-guard llm_stream_processor llm-redacted \
	langchain-core partial-json-parser instructor llguidance piighost litellm[proxy]

.PHONY: demo test test-all check coverage lint fuzz sanitize bench bench-others bench-short record weekly harmless eval pictures play-assets packs \
	examples docs wheel-demo lock sbom clean

demo: $(READY)
	$(BIN)/guardstream demo

# The core, with no provider's package, browser, Redis or Node; the last lines say what was left out.
test: lint
	GUARDSTREAM_TESTS=core $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

# All tests; that something is missing is an error.
test-all check: $(FULL) lint
	GUARDSTREAM_TESTS=$(MODE) $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --durations=10

# Takes three times as long as the tests alone, so it stands by itself.
coverage: $(FULL)
	$(BIN)/python -m pytest --cov --cov-report=term -m "not generated"

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict

# The engine against the reference on fresh cases, on both forms: `make fuzz MINUTES=60`.
fuzz: $(READY)
	$(BIN)/python -m tests.fuzz --minutes $(MINUTES)

# The C extension with AddressSanitizer and UndefinedBehaviorSanitizer, on as many cases.
sanitize: $(READY)
	$(BIN)/python -m tests.support.extension --sanitize --cases $(CASES)

# The search alone, in well under a minute.
bench-short: $(READY)
	$(BIN)/python -m benchmarks --short

# Beside others, in an environment of its own; one that does not install is left out. `make record` also
# keeps what was printed, and shows it in the documentation.
bench: bench-others
	$(BENCH)/bin/python -m benchmarks
	$(BENCH)/bin/python -m benchmarks.search
	$(BENCH)/bin/python -m benchmarks.json_stream
	$(BENCH)/bin/python -m benchmarks.observing
	$(BENCH)/bin/python -m benchmarks.restoring
	$(BENCH)/bin/python -m benchmarks.bulk

record: bench-others
	$(BENCH)/bin/python -m benchmarks.recorded

bench-others:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed" >&2; exit 1; }
	test -x $(BENCH)/bin/python || $(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BENCH)/bin/python -m pip install --quiet --editable ".[otel,prometheus,bulk,serve]" opentelemetry-sdk
	@for rival in $(RIVALS); do \
		$(BENCH)/bin/python -m pip install --quiet $$rival 2>/dev/null \
			|| echo "$$rival does not install" >&2; done

# What guards against the next version of a dependency, and the long runs; each part goes on where it was stopped.
weekly: weekly-ray weekly-kosong weekly-litellm weekly-published weekly-long weekly-fuzz weekly-attacks weekly-charts weekly-repairs weekly-mutation

# Each in an environment of its own: Ray does not start where there is grpcio, the others want older packages.
weekly-ray weekly-kosong weekly-litellm weekly-published: weekly-%:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed" >&2; exit 1; }
	test -x $(WEEKLY)/$*/bin/python || $(PYTHON) -m venv $(WEEKLY)/$*
	$(WEEKLY)/$*/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(WEEKLY)/$*/bin/python $(INSTALL) $(NEEDS_$*) hypothesis pytest pytest-asyncio trio websockets
	$(WEEKLY)/$*/bin/python -m pytest $(WARNINGS_$*) $(TESTS_$*)

weekly-long weekly-fuzz weekly-attacks: weekly-%: $(FULL)
	$(BIN)/python -m tests.weekly $*

# Whether others read almost-JSON as the recorded table says.
weekly-repairs:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed" >&2; exit 1; }
	test -x $(WEEKLY)/repairs/bin/python || $(PYTHON) -m venv $(WEEKLY)/repairs
	$(WEEKLY)/repairs/bin/python -m pip install --quiet json_repair
	npm install --silent --no-save --prefix $(WEEKLY)/repairs jsonrepair
	NODE_PATH=$(WEEKLY)/repairs/node_modules $(WEEKLY)/repairs/bin/python -m tests.jsonstream.repairs

# Which of 160 small bugs the tests find; coverage tells which tests execute which line.
weekly-mutation: $(FULL)
	mkdir -p $(WEEKLY)
	test -e $(WEEKLY)/lines || COVERAGE_FILE=$(WEEKLY)/lines $(BIN)/python -m pytest -n $(WORKERS) --cov --cov-context=test --cov-report= --ignore tests/scan
	$(BIN)/python -m tests.mutation $(WEEKLY)/lines | tee $(WEEKLY)/mutation.jsonl

weekly-charts: bench-others
	$(BENCH)/bin/python -m tests.weekly charts

# What each rule and phrase finds in text where nobody means it, in files of your own: `make harmless FILES=docs`.
FILES ?= docs
harmless: $(READY)
	$(BIN)/python -m benchmarks.harmless $(FILES)

eval: $(READY)
	$(BIN)/python -m benchmarks.evaluate --write

# The pictures of the documentation, from real runs.
pictures: $(FULL)
	mkdir -p docs/pictures
	$(BIN)/guardstream demo --timeline docs/pictures/stream.svg >/dev/null
	$(BIN)/python tools/moving_picture.py docs/pictures/demo.svg
	$(BIN)/python -m tests.play.picture docs/pictures/play.png

# The editor of `guardstream play`, bundled; what comes out is committed, so that nobody else needs Node.
play-assets:
	cd tools/play && npm ci --no-audit --no-fund && npm run build

packs: $(READY)
	$(BIN)/guardstream schema >policies/policy.schema.json
	$(BIN)/guardstream lint policies/*.yaml
	$(BIN)/guardstream test --coverage policies/*.yaml

examples: $(FULL)
	$(BIN)/python -m tests.examples.running examples/*.py

# The site of the documentation, without a network; a link that leads nowhere is an error.
docs: $(FULL)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict

# The demo from a built wheel, with the C extension and without a compiler, each in an environment that
# has nothing else and far from the checkout.
wheel-demo: $(READY)
	rm -rf build/native build/python $(EMPTY)-native $(EMPTY)-python
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir build/native .
	CC=/bin/false $(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir build/python .
	@set -e; for form in native python; do \
		$(BIN)/python -m venv $(EMPTY)-$$form; \
		$(EMPTY)-$$form/bin/python -m pip install --quiet build/$$form/*.whl; \
		cd /; $(CURDIR)/$(EMPTY)-$$form/bin/guardstream --version; \
		$(CURDIR)/$(EMPTY)-$$form/bin/guardstream --version | grep -q $$form \
			|| { echo "the wheel has not the $$form form of the search" >&2; exit 1; }; \
		$(CURDIR)/$(EMPTY)-$$form/bin/guardstream demo --speed 4; \
		cd $(CURDIR); done

# The versions that are developed with; those that still fit stay, unless UPGRADE=--upgrade.
lock: $(TOOLS)/.ready
	$(TOOLS)/bin/uv pip compile --quiet --universal --python-version 3.11 --all-extras --group dev --group docs --group renderers \
		--no-annotate --custom-compile-command "make lock" $(UPGRADE) \
		pyproject.toml --output-file requirements-dev.txt

# What an installation with all extras consists of, in CycloneDX's format.
sbom: $(TOOLS)/.ready
	$(TOOLS)/bin/python -m venv --clear build/installed
	build/installed/bin/python -m pip install --quiet ".[all]"
	$(TOOLS)/bin/cyclonedx-py environment --pyproject pyproject.toml --mc-type library \
		--output-reproducible --output-file build/guardstream.cdx.json build/installed/bin/python

$(TOOLS)/.ready: pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(TOOLS)/bin/python -m pip install --quiet --group release
	touch $@

$(READY): pyproject.toml build_wheel.py build_readme.py $(wildcard guardstream/scan/native/*)
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python $(INSTALL) --editable ".[all]" --group test $(if $(LOCKED),--constraint requirements-dev.txt)
	touch $@

# The packages of providers and frameworks, a browser, a Redis server, and the linter of pages from Node.
$(FULL): $(READY)
	$(BIN)/python $(INSTALL) --group dev --group docs --group renderers $(if $(LOCKED),--constraint requirements-dev.txt)
	@command -v chromium >/dev/null && command -v redis-server >/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get -qq update && DEBIAN_FRONTEND=noninteractive \
				apt-get -qq install -y --no-install-recommends chromium redis-server >/dev/null; \
		else false; fi || echo "install chromium and redis-server to run all tests" >&2; }
	@command -v npm >/dev/null && (cd tools/play && npm ci --silent --no-audit --no-fund) \
		|| echo "install Node to test the playground's accessibility" >&2
	touch $@

clean:
	rm -rf .venv build dist .coverage .mypy_cache .pytest_cache .ruff_cache
