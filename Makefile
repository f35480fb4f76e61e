# Each target makes the environment that it needs from nothing but Python and a package index, once: a stamp inside the
# environment says what is installed, and is written only when the whole installation went well.

PYTHON ?= python3
# Processes that run the tests side by side.
JOBS ?= 2

VENV ?= .venv
TORCH_VENV ?= .venv-torch
ORACLE_VENV ?= .venv-oracle

# A variable, as its commas would part the arguments of a call.
WITH_EXTRAS := .[train,image,text]

# $(call pip_install,ENVIRONMENT,WHAT)
define pip_install
@echo "installing $(2) into $(1)"
@$(1)/bin/python -m pip install --quiet --disable-pip-version-check $(2)
@touch $@
endef

.DEFAULT_GOAL := help
# Two installations into one environment at once would trip over each other.
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help demo test check bench laws soak coverage test-torch test-oracle format clean

help:  ## Print this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.installed-train  ## Train a model on real digits: the main job.
	$(VENV)/bin/penstock train $(ARGS)

test: $(VENV)/.installed-train $(VENV)/.installed-test  ## Run the tests, with the examples in docstrings and README.
	$(VENV)/bin/python -m pytest -q -n $(JOBS) --dist worksteal --ignore=tests/torch --ignore=tests/oracle $(ARGS)

check: $(VENV)/.installed-lint  ## Lint, format, types and layers; changes nothing.
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy --strict src typing_tests
	$(VENV)/bin/lint-imports --no-logo

format: $(VENV)/.installed-lint  ## Mend format and what ruff can mend by itself.
	$(VENV)/bin/ruff check --fix-only --quiet
	$(VENV)/bin/ruff format

bench: $(VENV)/.installed-package  ## Measure beside NumPy, tf.data, DataLoader and Grain (takes an environment of its own).
	$(VENV)/bin/python benchmarks/run.py $(ARGS)

laws: $(VENV)/.installed-test  ## The laws on 20,000 generated chains of transformations.
	$(VENV)/bin/python -m pytest -q -n $(JOBS) --dist worksteal --hypothesis-profile=long \
		-o faulthandler_timeout=0 tests/laws $(ARGS)

soak: $(VENV)/.installed-package  ## 600 faults at random places of generated parallel pipelines (about ten minutes; Linux).
	PYTHONPATH=. $(VENV)/bin/python tests/soak.py $(ARGS)

coverage: $(VENV)/.installed-train $(VENV)/.installed-test  ## Run the tests and print the lines that none reached.
	$(VENV)/bin/python -m pytest -q -n $(JOBS) --dist worksteal --ignore=tests/torch --ignore=tests/oracle --cov $(ARGS)

test-torch: $(TORCH_VENV)/.installed  ## Train all models on torch, in an environment of its own because torch is large.
	KERAS_BACKEND=torch $(TORCH_VENV)/bin/python -m pytest -q tests/torch $(ARGS)

test-oracle: $(ORACLE_VENV)/.installed  ## Compare with TensorFlow's own tf.data, in an environment of its own.
	$(ORACLE_VENV)/bin/python -m pytest -q tests/oracle $(ARGS)

clean:  ## Remove environments, caches and built files; the next target makes what it needs anew.
	rm -rf $(VENV) $(TORCH_VENV) $(ORACLE_VENV) .venv-peers build dist .coverage* src/*.egg-info
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment that stands is kept, whoever made it; half of one is made anew. Pip reads groups since 25.1.
$(VENV)/.created $(TORCH_VENV)/.created $(ORACLE_VENV)/.created: %/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is missing or older than Python 3.11; name another: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
		{ echo "$(PYTHON) cannot make environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$*/bin/python -m pip --version >/dev/null 2>&1 || { echo "making $*"; $(PYTHON) -m venv --clear $*; }
	@$*/bin/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	@touch $@

$(VENV)/.installed-package: pyproject.toml | $(VENV)/.created
	$(call pip_install,$(VENV),--editable .)

$(VENV)/.installed-train: pyproject.toml | $(VENV)/.created
	$(call pip_install,$(VENV),--editable "$(WITH_EXTRAS)")

$(VENV)/.installed-test: pyproject.toml | $(VENV)/.installed-package
	$(call pip_install,$(VENV),--group test)

$(VENV)/.installed-lint: pyproject.toml | $(VENV)/.installed-package
	$(call pip_install,$(VENV),--group lint)

$(TORCH_VENV)/.installed: pyproject.toml | $(TORCH_VENV)/.created
	$(call pip_install,$(TORCH_VENV),--editable . --group test torch==2.13.0 "keras>=3.5" "scikit-learn>=1.4")

$(ORACLE_VENV)/.installed: pyproject.toml | $(ORACLE_VENV)/.created
	$(call pip_install,$(ORACLE_VENV),--editable . --group test tensorflow-cpu)
