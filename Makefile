# Two commands are all: `make demo` and `make test`. Both first make .venv, once, with the versions
# in constraints.txt. PYTHON chooses the interpreter, WORKERS the processes of the test run.

PYTHON ?= python3
WORKERS ?= 2
BIN := $(CURDIR)/.venv/bin
STAMP := .venv/.installed
# Tests of one group share something that takes long to make, so one process runs them all.
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

export PATH := $(BIN):$(PATH)

.PHONY: demo test verify fuzz bench mutation lint types links docs clean

demo: $(STAMP)
	spikewright demo -o runs/demo

test: $(STAMP)
	$(PYTEST) -m "not slow"

# The tests that take minutes each. `make mutation` is longer still: it tests the tests.
verify: $(STAMP)
	$(PYTEST) -m slow --hypothesis-profile=long

# Looks for what no test has found yet, overnight; see docs/fuzzing.md.
fuzz: $(STAMP)
	$(PYTEST) tests/fuzz --hypothesis-profile=overnight

# Puts small faults into the hardware components and tells which of them the tests find. Faults that
# were found are not tried again as long as their file is the same; MUTATION="--only gen/rtl/router.py"
# tries one file, MUTATION=--sound runs the same tests on the sound design.
mutation: $(STAMP)
	$(BIN)/python -m tests.mutation --resume $(MUTATION)

# Measures what the hardware reaches; PARTS="mnist rivals" measures only these. Place-and-route takes
# minutes a design. SPIKEWRIGHT_DATA names the folder with MNIST and N-MNIST.
bench: $(STAMP)
	$(BIN)/python -m tests.bench $(PARTS)

lint: $(STAMP)
	ruff check .

# Setuptools' editable install maps the folders with an import hook, which no type checker follows;
# so they are linked under the names they are imported by.
links: $(STAMP)
	mkdir -p .venv/types/spikewright
	ln -sfn $(addprefix $(CURDIR)/,gen model boards) .venv/types/spikewright/

types: links
	pyright --pythonpath $(BIN)/python

# The documentation as a site, in build/site; its reference is made from docstrings.
docs: links
	NO_MKDOCS_2_WARNING=1 mkdocs build --quiet --strict

# torch comes first, at its pinned version, before anything with an open range asks for it.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	  "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; set PYTHON=")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet "$$(grep '^torch==' constraints.txt)"
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf .venv build dist waves .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
