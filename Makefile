# Two commands on a fresh machine with git, make and a Python >= 3.9 with venv:
#
#   make demo    a time-lapse on the simulated microscope, with its movies
#   make test    every check
#
# All they create lies under this folder: .venv, .nox, demo. Run again, they install
# nothing unless pyproject.toml changed.

PYTHON := .venv/bin/python
CREATED := $(shell $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 9))' \
	2>/dev/null && echo yes)

.DEFAULT_GOAL := help
.PHONY: help demo test attack format clean again

help: ## show these lines
	@sed -n 's/^\([a-z]*\):.*## /make \1:\t/p' Makefile

demo: .venv/.package ## record a time-lapse on the simulated microscope and make its movies
	.venv/bin/openflexure-timelapse demo --out demo

test: .venv/.nox ## run every check (one of them: .venv/bin/nox -s lint; all: .venv/bin/nox -l)
	$(PYTHON) -m nox

attack: .venv/.nox ## try to break every promise, for hours (docs/reliability.md)
	$(PYTHON) -m nox -s attack

format: .venv/.nox ## put all Python files into the house's form
	$(PYTHON) -m nox -s format

clean: ## remove the environments and caches; recordings in demo stay
	rm -rf .venv .nox .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/.package: pyproject.toml .venv/.pip
	$(PYTHON) -m pip install --quiet --editable .
	@touch $@

.venv/.nox: .venv/.pip
	$(PYTHON) -m pip install --quiet 'nox>=2024.4.15'
	@touch $@

# An old pip picks old wheels, or builds what has a wheel.
.venv/.pip: | $(PYTHON)
	$(PYTHON) -m pip install --quiet --upgrade pip
	@touch $@

# Made anew when its Python is gone, as after an upgrade of the system.
ifneq ($(CREATED),yes)
$(PYTHON) .venv/.pip .venv/.nox .venv/.package: again
endif
$(PYTHON):
	@$(find_python) && echo "creating .venv with $$found" && \
		"$$found" -m venv --clear .venv

# The newest Python that the checks know and that really runs (a pyenv shim may not);
# python3 comes last, as it may be newer than that.
define find_python
found=; bare=; \
for name in python3.13 python3.12 python3.11 python3.10 python3.9 python3; do \
  if $$name -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then \
    if $$name -c 'import ensurepip, venv' 2>/dev/null; then found=$$name; break; fi; \
    bare=$${bare:-$$name}; \
  fi; \
done; \
if [ -z "$$found" ] && [ -n "$$bare" ]; then \
  echo "$$bare has no venv; type: sudo apt install" \
    "$$($$bare -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')" >&2; \
  exit 1; \
elif [ -z "$$found" ] && python3 -c '' 2>/dev/null; then \
  echo "Python 3.9 or later is needed, and this is $$(python3 --version);" \
    "type: sudo apt install python3.9 python3.9-venv" >&2; \
  exit 1; \
elif [ -z "$$found" ]; then \
  echo "there is no python3; type: sudo apt install python3 python3-venv" >&2; \
  exit 1; \
fi
endef
