# Two commands for a fresh machine: `make demo` and `make test`; `make run CONFIG=mine.yaml OUT=OUT`
# runs a config of yours, and goes on with it after whatever has happened.
# PYTHON chooses the interpreter (3.11 or 3.12), CORES the number of cores, OUT where results go,
# PROFILE another way to run it, such as profiles/slurm.

PYTHON ?= python3
CORES ?= 2
OUT ?= .
CONFIG ?=
PROFILE ?=
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin

.PHONY: install demo run export test test-long test-cluster torture mutants fuzz check config catalogue \
	record pages rulegraph unlock clean-venv

# What runs need, into .venv.
install: $(VENV)/run.stamp

demo: $(VENV)/run.stamp unlock
	@PATH="$(BIN):$$PATH" "$(BIN)/python" -m snakemake --cores $(CORES) --directory "$(OUT)" \
		--configfile examples/demo.yaml

run: $(VENV)/run.stamp unlock
	@$(if $(CONFIG),"$(BIN)/python" scripts/check_yaml.py "$(CONFIG)")
	@PATH="$(BIN):$$PATH" "$(BIN)/python" -m snakemake --directory "$(OUT)" \
		$(if $(PROFILE),--profile "$(PROFILE)",--cores $(CORES)) \
		$(if $(CONFIG),--configfile "$(CONFIG)")

# Maps of every predictor for pysaliency and benchmarks, into OUT/results/export.
export: $(VENV)/run.stamp unlock
	@PATH="$(BIN):$$PATH" "$(BIN)/python" -m snakemake --cores $(CORES) --directory "$(OUT)" \
		$(if $(CONFIG),--configfile $(CONFIG)) -- export

test: $(VENV)/dev.stamp
	PATH="$(BIN):$$PATH" "$(BIN)/python" -m pytest -n $(CORES) --dist loadfile --no-loadscope-reorder

# The tests above and the long ones, which are variants of them.
test-long: $(VENV)/dev.stamp
	PATH="$(BIN):$$PATH" "$(BIN)/python" -m pytest -n $(CORES) --dist loadfile \
		--no-loadscope-reorder -m ""

# On a SLURM that the tests bring up on this machine themselves; skipped where it is not installed.
test-cluster: $(VENV)/dev.stamp
	PATH="$(BIN):$$PATH" "$(BIN)/python" -m pytest tests/cluster -x -s

# A hundred kills of running workflows, and every file compared with undisturbed runs.
torture: $(VENV)/dev.stamp
	PATH="$(BIN):$$PATH" "$(BIN)/python" tests/torture.py

# Small changes of core modules on a copy of the tree: do tests notice them? SAMPLE of each module.
mutants: $(VENV)/dev.stamp
	PATH="$(BIN):$$PATH" "$(BIN)/python" tests/mutants/run.py --cores $(CORES) \
		--each $(or $(SAMPLE),7) --seed $(or $(SEED),1)

check: $(VENV)/dev.stamp
	PATH="$(BIN):$$PATH" "$(BIN)/snakemake" --lint
	PATH="$(BIN):$$PATH" "$(BIN)/snakefmt" --check Snakefile rules
	PATH="$(BIN):$$PATH" "$(BIN)/ruff" check .
	PATH="$(BIN):$$PATH" "$(BIN)/ruff" format --check .
	PATH="$(BIN):$$PATH" "$(BIN)/mypy"
	PYTHONPATH=scripts "$(BIN)/lint-imports" --no-cache

# config.yaml and docs/reference/configuration.md from rules/config.schema.yaml.
config: $(VENV)/run.stamp
	"$(BIN)/python" scripts/document_config.py

# 100,000 damaged files through the readers of files that others made (CASES=1000 for fewer).
fuzz: $(VENV)/dev.stamp
	"$(BIN)/python" tests/fuzz/driver.py $(CASES)

# docs/reference/bad_input.md from tests/bad_input.
catalogue: $(VENV)/dev.stamp
	"$(BIN)/python" tests/bad_input/table.py

# Tables of record of the run in OUT into docs/results/CASE, and the pages that show them.
record: $(VENV)/run.stamp
	@PATH="$(BIN):$$PATH" "$(BIN)/python" -m snakemake --directory "$(OUT)" --cores $(CORES) \
		$(if $(CONFIG),--configfile $(CONFIG)) -- record
	"$(BIN)/python" scripts/render_pages.py --record "$(OUT)" "$(CASE)"

# Pages of docs/ from docs/pages and docs/results.
pages: $(VENV)/run.stamp
	"$(BIN)/python" scripts/render_pages.py

# The picture in the README; needs graphviz.
rulegraph: $(VENV)/run.stamp
	PATH="$(BIN):$$PATH" "$(BIN)/python" -m snakemake --rulegraph 2>/dev/null \
		| sed -n '/digraph/,$$p' | sed 's/_cmrnet//g; s/margin=0/margin=0, nodesep=0.15, ranksep=0.3/' \
		| dot -Tsvg | sed '/<!--/d' > docs/figures/rulegraph.svg

# A killed run leaves its lock behind, and perhaps jobs on a cluster; they are taken away only where
# its owner is dead.
unlock: $(VENV)/run.stamp
	@"$(BIN)/python" scripts/unlock.py "$(OUT)"

$(VENV)/run.stamp: requirements.txt
	@echo "Installing what the pipeline needs into $(VENV) (once; some minutes)"
	"$(PYTHON)" -c 'import sys; sys.exit(0 if sys.version_info[:2] in ((3, 11), (3, 12)) else \
		"Python 3.11 or 3.12 is needed, this is " + sys.version.split()[0] + "; set PYTHON=")'
	"$(PYTHON)" -m venv $(VENV)
	"$(BIN)/pip" install --quiet --disable-pip-version-check torch==2.13.0
	"$(BIN)/pip" install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements-dev.txt
	"$(BIN)/pip" install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

clean-venv:
	rm -rf $(VENV)
