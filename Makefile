# make demo               sets up and trains the digit classifier; pictures and weights go to out/
# make test               sets up and runs the tests
# make docs               sets up and builds the site: build/docs/index.html
# make examples           runs every technique of the course, a table and a picture each; ARGS=--quick takes seconds
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)/python

EXAMPLES := $(sort $(wildcard examples/[0-9]*.py))

.PHONY: demo docs examples test lint types doctest parity nightly fuzz pictures benchmark clean

demo: $(VENV)/demo.stamp
	$(RUN) examples/digits.py

docs: $(VENV)/docs.stamp
	$(RUN) docs/make_site.py

examples: $(VENV)/examples.stamp
	set -e; for example in $(EXAMPLES); do echo "== $$example"; $(RUN) $$example $(ARGS); done

test: $(VENV)/dev.stamp
	$(RUN) -m pytest -n auto --ignore=tests/parity --ignore=tests/fuzz

lint: $(VENV)/dev.stamp
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

types: $(VENV)/dev.stamp
	$(RUN) -m mypy

doctest: $(VENV)/dev.stamp
	$(RUN) -m pytest --doctest-modules tinygrad_dl

# PyTorch is never a dependency: it is installed for these four targets alone, with libraries that import it.
parity: $(VENV)/torch.stamp
	$(RUN) -m pytest -n auto tests/parity tests/fuzz

# The tests of random programs with 10,000 programs each, for a night.
nightly: $(VENV)/torch.stamp
	HYPOTHESIS_PROFILE=nightly $(RUN) -m pytest tests/test_inplace_programs.py tests/parity/test_inplace_programs.py

# Random programs in both libraries; prints the smallest of each kind that differs.
N ?= 30000
SEED ?= 0
fuzz: $(VENV)/torch.stamp
	cd tests && ../$(RUN) -m fuzz $(N) --seed $(SEED)

# Beside PyTorch; ISA=avx2: as on a processor without AVX-512.
ISA ?= native
benchmark: $(VENV)/torch.stamp
	$(RUN) benchmarks/compare.py --isa $(ISA)

# The pictures of the README and of docs/gallery.md, by the demo, the full examples and that page; ONLY="20 24": some.
pictures: $(VENV)/examples.stamp
	$(RUN) docs/make_pictures.py $(ONLY)

$(VENV)/pyvenv.cfg:
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo.stamp: $(VENV)/pyvenv.cfg pyproject.toml
	$(RUN) -m pip install --quiet -e ".[demo]"
	touch $@

$(VENV)/examples.stamp: $(VENV)/pyvenv.cfg pyproject.toml
	$(RUN) -m pip install --quiet -e ".[examples]"
	touch $@

$(VENV)/docs.stamp: $(VENV)/pyvenv.cfg pyproject.toml
	$(RUN) -m pip install --quiet -e ".[docs]"
	touch $@

$(VENV)/dev.stamp: $(VENV)/pyvenv.cfg pyproject.toml
	$(RUN) -m pip install --quiet -e ".[dev]"
	touch $@

$(VENV)/torch.stamp: $(VENV)/dev.stamp
	$(RUN) -m pip install --quiet torch==2.13.0 einops skorch torchmetrics safetensors
	touch $@

clean:
	rm -rf $(VENV) out build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
