# Two commands: `make demo` and `make test`. Each sets up what it needs in .venv.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --no-compile --quiet --disable-pip-version-check -c constraints.txt
COMPILE := $(BIN)/python -m compileall -qq -j 0 .venv/lib || true     # on all cores; pip's own takes one
.PHONY: help demo test lab docs bench export clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    5 synthetic twelve-lead ECGs, a picture and a table, in demo/"
	@echo "make test    everything: exports, notebooks, site, tests, browser"
	@echo "make lab     JupyterLab on the first tutorial"
	@echo "make docs    the documentation site, in _docs/"
	@echo "make bench   speed beside peers"
	@echo "make export  notebooks to package, and README.md from the index notebook"

.venv/base: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; say make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(PIP) -e .
	@$(COMPILE)
	@touch $@

.venv/lab: .venv/base
	$(PIP) -e ".[lab]"
	@$(COMPILE)
	@touch $@

.venv/dev: .venv/base
	$(PIP) -e ".[lab,bulk,training,formats,evaluation,video,private,dev]"
	@$(COMPILE)
	@touch $@

demo: .venv/base
	@$(BIN)/deepsynthbody generate 5 demo --leads 12 --format wfdb --seed 0
	@$(BIN)/deepsynthbody draw demo/3.hea demo/ecg.png
	@$(BIN)/deepsynthbody measure demo/0.hea demo/1.hea demo/2.hea demo/3.hea demo/4.hea --csv demo/measured.csv
	@echo "all in $(CURDIR)/demo"

test: docs
	$(BIN)/python -m pytest -n auto --dist worksteal -m 'not clock'
	$(BIN)/python -m pytest -m clock

docs: .venv/dev
	$(BIN)/python tools/build_docs.py

lab: .venv/lab
	@$(BIN)/deepsynthbody lessons lessons
	$(BIN)/jupyter-lab --ServerApp.root_dir="$(CURDIR)" --LabApp.default_url=/lab/tree/lessons/01_first_ecg.ipynb

bench: .venv/dev
	$(BIN)/python benchmarks/delineation.py
	$(BIN)/python benchmarks/generation.py
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/long_records.py

export: .venv/dev
	$(BIN)/nbdev-export
	$(BIN)/nbdev-clean
	$(BIN)/python tools/build_docs.py --readme

clean:
	rm -rf _docs _proc demo build
