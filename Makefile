# Everything a developer of stein does, one target each. A target prepares what it needs: the first
# `make test` on a fresh machine builds .venv, the second finds the stamps in it and starts at once.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV ?= .venv
PORT ?= 5000
FUZZ ?= reader words multipart
FUZZ_SECONDS ?= 600
ARGS ?=

PY := $(VENV)/bin/python
PIP ?= $(PY) -m pip
INSTALL := $(PIP) install --quiet --disable-pip-version-check
LOCKS := dev fuzz browser docs upstream
UV ?= $(shell command -v uv || echo $(VENV)/bin/uv)

# Stamps: empty files whose age says whether the step behind them is still done.
VENV_MADE := $(VENV)/.made
PACKAGE := $(VENV)/.package
DEV := $(VENV)/.dev

.PHONY: help run test check format bench fuzz upstream-ready upstream-werkzeug upstream-flask browser docs lock clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | \
	  while IFS='|' read -r name text; do printf '%-24s %s\n' "$$name" "$$text"; done

run: $(PACKAGE) ## start the postcards on PORT (5000) and show them in the browser, if there is one
	@$(PY) examples/browse.py "http://127.0.0.1:$(PORT)/" & \
	  exec $(VENV)/bin/stein serve postcards --app-dir examples/postcards --bind 127.0.0.1:$(PORT) $(ARGS)

test: $(DEV) ## all tests, with coverage; ARGS="tests/http -k cookies" runs some, without
ifeq ($(ARGS),)
	@rm -f .coverage .coverage.*
	$(PY) -m coverage run -m pytest
	@$(PY) -m coverage combine --quiet
	@$(PY) -m coverage report
else
	$(PY) -m pytest $(ARGS)
endif

check: $(DEV) ## lint, format, types, layers: all that needs no server
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m pytest --quiet tests/test_layers.py

format: $(DEV) ## put the code into shape and mend what ruff can mend
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

bench: $(DEV) ## compare with other servers, with Werkzeug and with Flask, on this machine
	$(PY) bench/run.py $(ARGS)
	$(PY) bench/toolkit.py --no-install
	$(PY) bench/framework.py --no-install

fuzz: $(VENV)/.fuzz ## feed each parser random bytes for FUZZ_SECONDS (600); FUZZ=words is one
	for parser in $(FUZZ); do \
	  $(PY) tests/fuzz/fuzz_$$parser.py -max_total_time=$(FUZZ_SECONDS) $(ARGS) || exit 1; \
	done

upstream-ready: $(VENV)/.upstream

upstream-werkzeug: upstream-ready ## run Werkzeug's own tests through the drop-in
	$(PY) tests/upstream/run.py werkzeug $(ARGS)

upstream-flask: upstream-ready ## run Flask's own tests and examples through the drop-in
	$(PY) tests/upstream/run.py flask flaskr javascript $(ARGS)

browser: $(VENV)/.browser ## install what the browser test needs, except the browser

docs: $(VENV)/.docs ## build the pages into site/, the one of all settings anew
	$(PY) -m stein.serving.reference docs/settings.md
	$(VENV)/bin/properdocs build --strict --config-file mkdocs.yml --site-dir site

# The lock files name versions and hashes only, never where they came from: every machine fetches
# from the index that it is set up for.
lock: ## pin the newest versions of all development tools into requirements/
	@command -v $(UV) >/dev/null || { $(MAKE) $(VENV_MADE) && $(INSTALL) uv; }
	@for group in $(LOCKS); do \
	  echo "requirements/$$group.txt"; \
	  $(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
	    --group $$group $$([ $$group = dev ] && echo pyproject.toml || echo -c requirements/dev.txt) \
	    --output-file requirements/$$group.txt || exit 1; \
	done
	@! grep -nE '://|^--(index|extra|find|trusted)' requirements/*.txt || \
	  { echo 'make lock: the lines above name a package index; take them out' >&2; exit 1; }

clean: ## remove .venv and everything that was built
	rm -rf $(VENV) build dist site htmlcov .coverage .coverage.* .mypy_cache .pytest_cache \
	  .ruff_cache .hypothesis
	find src tests examples bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# --- set-up ---------------------------------------------------------------------------------------

# The newest Python that is new enough and can make environments. It is asked, not believed by its
# name: a pyenv shim exists for versions that are not installed. PYTHON=... overrides the search.
$(VENV_MADE):
	@set -e; old=; bare=; chosen=; \
	for python in $(or $(PYTHON),python3.14 python3.13 python3.12 python3.11 python3); do \
	  "$$python" -c '' 2>/dev/null || continue; \
	  if ! "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    old="$$python"; \
	  elif ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	    bare="$$python"; \
	  else chosen="$$python"; break; fi; \
	done; \
	if [ -z "$$chosen" ] && [ -n "$$bare" ]; then \
	  echo "make: $$bare cannot create virtual environments." \
	    "On Debian and Ubuntu: sudo apt install python3-venv" >&2; exit 1; \
	elif [ -z "$$chosen" ]; then \
	  echo "make: stein needs Python 3.11 or newer$${old:+; $$old is $$("$$old" -V 2>&1)}." \
	    "Install one, or name it: make $(or $(MAKECMDGOALS),test) PYTHON=/path/to/python3" >&2; \
	  exit 1; \
	fi; \
	echo "$(VENV): $$("$$chosen" -V) ($$chosen)"; \
	"$$chosen" -m venv --clear $(VENV)
	@touch $@

# pip is quiet for as long as it takes, which may be minutes where the network is slow.
FETCHING = @echo "$(VENV): fetching packages from the network, this once; a minute or so …"

# What an installed stein brings along besides a pointer to src/.
$(PACKAGE): $(VENV_MADE) pyproject.toml src/stein/dropin/children.pth
	$(FETCHING)
	$(INSTALL) --editable .
	@touch $@

# The locked hatchling builds stein, so nothing is fetched that the lock does not name.
$(DEV): $(VENV_MADE) requirements/dev.txt pyproject.toml src/stein/dropin/children.pth
	$(FETCHING)
	$(INSTALL) --require-hashes --requirement requirements/dev.txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@ $(PACKAGE)

$(VENV)/.fuzz $(VENV)/.browser $(VENV)/.docs $(VENV)/.upstream: $(VENV)/.%: $(DEV) requirements/%.txt
	$(FETCHING)
	$(INSTALL) --require-hashes --requirement requirements/$*.txt
	@touch $@
