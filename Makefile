# Two commands do everything: `make run` and `make test`. `make help` lists the rest.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# If it were set, every start would compile every library again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install chromium clamd ffmpeg node promtool run dev test test-all faults soak steady fuzz recovery bench bench-fair bench-remote bench-uploads bench-reports screenshots docs check fix lock clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*##/\1\t/p' $(MAKEFILE_LIST)

install: $(VENV)/installed $(BIN)/downloads  ## the virtual environment: locked requirements, the client `downloads`

$(VENV)/installed: requirements/dev.txt
	$(PYTHON) -m deploy.make_venv $(VENV)
	$(BIN)/uv pip sync --python $(BIN)/python --require-hashes --compile-bytecode requirements/dev.txt
	@touch $@

$(BIN)/downloads: $(VENV)/installed deploy/install_client.py
	$(PYTHON) -m deploy.install_client $(VENV)

chromium: install
	@$(BIN)/python -m tests.browser.chromium

clamd: install
	@$(BIN)/python -m tests.clamd

ffmpeg: install
	@$(BIN)/python -m tests.processing.ffmpeg

node: install
	@$(BIN)/python -m tests.node

promtool: install
	@$(BIN)/python -m tests.promtool

run: install  ## the whole service: servers, main job once, then serving (ARGS=--once, PORT, SLOW=1)
	@$(BIN)/python -m downloads_project.local.run $(ARGS)

dev: install  ## the same, reloading when the code changes
	@$(BIN)/python -m downloads_project.local.run --reload $(ARGS)

PYTEST = $(BIN)/python -m pytest -n 2 --dist worksteal
# Failed tests run once more, one at a time: on a busy machine a timeout may expire.
# Both runs are printed; a test that fails twice fails the command.
ALONE = test $$? = 1 && $(BIN)/python -m pytest --last-failed --last-failed-no-failures none --maxfail 3

test: install clamd ffmpeg  ## the tests, on temporary servers, without slow ones (ARGS="-k cancel")
	@$(PYTEST) -m "not slow and not long" $(ARGS) || { $(ALONE) -m "not slow and not long"; }

test-all: test chromium node promtool  ## those, then the slow ones: browser, faults, processes of their own
	@$(PYTEST) -m "slow and not long" $(ARGS) || { $(ALONE) -m "slow and not long"; }

faults: install  ## break everything, case by case; a table and faults.json (ARGS="-k frozen")
	@FAULTS_JSON=faults.json $(BIN)/python -m pytest tests/faults -n 2 --tb=short $(ARGS)

soak: install  ## MINUTES (10) of random faults under steady load, then what was lost (SEED)
	@MINUTES=$(or $(MINUTES),10) SEED=$(or $(SEED),1) $(BIN)/python -m tests.faults.soak

steady: install  ## MINUTES (60) of load without faults, in which no alert may fire (JOBS_A_SECOND)
	@MINUTES=$(or $(MINUTES),60) SEED=$(or $(SEED),1) $(BIN)/python -m tests.faults.steady

fuzz: install  ## MINUTES (10) of requests made from the OpenAPI document, by three callers (SEED)
	@MINUTES=$(or $(MINUTES),10) SEED=$(or $(SEED),1) $(BIN)/python -m tests.fuzz.minutes

recovery: install  ## how long the five main faults take to get over, with production's clocks
	@$(BIN)/python benchmarks/recovery.py

bench: install  ## compare the service with a Node peer, Celery and Django (ARGS="poll --rounds 3", ARGS=--smoke)
	@$(BIN)/python -m benchmarks.bench $(ARGS)

bench-fair: install  ## measure whose turn it is: waits, shares, limits, claims of a million jobs (ARGS=--smoke)
	@$(BIN)/python -m benchmarks.fair $(ARGS)

bench-remote: install  ## compare fetching a link with aria2c, in pairs (ARGS="--pairs 9")
	@$(BIN)/python benchmarks/remote.py $(ARGS)

bench-uploads: install  ## measure large uploads: time, polls of another client, memory (ARGS="--rounds 3")
	@$(BIN)/python benchmarks/uploads.py $(ARGS)

bench-reports: install  ## measure a report on 100,000 downloads: memory, time
	@$(BIN)/python benchmarks/reports.py

screenshots: install chromium  ## pictures of the pages, for the README
	@REQUIRE_BROWSER=1 $(BIN)/python -m pytest -q tests/browser/screenshots.py

docs:  ## write docs/settings.md anew from .env.example
	$(PYTHON) -m deploy.settings_page > docs/settings.md

check: install  ## format, lint, types, migrations, settings, layout
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/djlint --lint --quiet templates jobs/kinds
	$(BIN)/mypy
	$(BIN)/python manage.py check --fail-level WARNING
	$(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null
	$(BIN)/python -m pytest -q tests/test_layout.py

fix: install  ## format, and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: install  ## requirements/*.txt anew from *.in
	cd requirements && for name in base sentry tracing dev; do \
	  ../$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	    --no-emit-index-url $$name.in -o $$name.txt; done

clean:  ## remove the virtual environment and the data of `make run`
	rm -rf $(VENV) .stack staticfiles .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
