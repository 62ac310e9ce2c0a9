# make run [DATASET=PATH|kaggle] [PORT=8000]   serve the site on this machine; sets everything up first
# make test [ARGS="-k name"]                   all tests; sets everything up first
# make long                                    the tests that take half an hour or more
# make lint | format | requirements | clean | bench [NAME=...] | screenshots

SHELL := /bin/sh
VENV := .venv/bin
export PIP_NO_INPUT := 1

# The first Python that is new enough sets up; the virtual environment's own is the quickest to ask.
SETUP = for python in $(PYTHON) $(VENV)/python python3.11 python3.12 python3.13 python3.14 python3; do \
	if $$python -c "import sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null; then \
		exec $$python scripts/setup.py $(1); fi; done; \
	echo "error: Python 3.11 or newer is needed and was not found: install it, or name it with PYTHON=PATH." >&2; exit 1

.PHONY: run test long lint style types layers format requirements clean bench screenshots setup setup-dev

run: setup
	@exec $(VENV)/python manage.py up

test: setup-dev
	@scripts/browser.sh
	@exec $(VENV)/python -m pytest -n 2 --dist worksteal $(ARGS)

long: setup-dev
	@exec $(VENV)/python -m pytest -m long $(ARGS)

lint: style types layers

style: setup-dev
	@$(VENV)/ruff check . && $(VENV)/ruff format --check .

# The plug-in for Django reads the settings.
types: setup-dev
	@DEBUG=1 $(VENV)/mypy .

layers: setup-dev
	@$(VENV)/lint-imports --no-logo

format: setup-dev
	@$(VENV)/ruff check --fix . ; $(VENV)/ruff format .

# Pins what requirements*.in allow; versions that are pinned already stay (add ARGS=--upgrade to move them).
requirements: setup-dev
	@$(VENV)/python -m pip install --quiet --disable-pip-version-check uv
	@for name in requirements requirements-dev; do \
		$(VENV)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
			--no-emit-index-url --no-emit-find-links --custom-compile-command "make requirements" \
			$(ARGS) $$name.in -o $$name.txt || exit 1; done

# Removes what can be made again; the database and the models in var/ stay.
clean:
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage* htmlcov
	@rm -rf var/log var/static var/static.stamp var/ci
	@find . -name __pycache__ -type d -not -path "./var/*" -prune -exec rm -rf {} +

bench: setup-dev
	@for file in $(if $(NAME),benchmarks/$(NAME).py,$$(grep -l __main__ benchmarks/*.py)); do \
		$(VENV)/python -m benchmarks.$$(basename $$file .py) $(ARGS) || exit 1; done

screenshots: setup-dev
	@scripts/browser.sh
	@exec $(VENV)/python -m tests.screenshots $(ARGS)

setup:
	@$(call SETUP)

setup-dev:
	@$(call SETUP,--dev)
