# Each target sets itself up: a local .venv from the lock, by uv when pip can bring it, else by pip.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: report test lab example bench calibrate browser chaos lock clean

report: $(VENV)/.runtime
	$(BIN)/impact run 02_event_study --story ford-xiaomi --as-of 2026-02-13

test: $(VENV)/.dev
	$(BIN)/python -m pytest -q

lab: $(VENV)/.lab
	$(BIN)/jupyter lab notebooks/start.ipynb

example: $(VENV)/.runtime
	$(BIN)/python examples/refresh.py

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/bench_batch.py
	$(BIN)/python benchmarks/bench_cluster.py --instants 1000000

calibrate: $(VENV)/.dev
	$(BIN)/python -m calibration.single_firm
	$(BIN)/python -m calibration.cross_section_size

browser: $(VENV)/.dev
	$(BIN)/python -m pytest -q -m browser -rs

chaos: $(VENV)/.dev
	$(BIN)/python -m pytest -q -m slow

# every lock holds the runtime versions; the tests' lock holds all optional parts but the lab
LOCK = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --no-emit-index-url \
	--no-emit-find-links pyproject.toml
lock: $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet uv
	$(LOCK) --output-file requirements.lock
	for extra in cluster ingest lab; do \
	  $(LOCK) --extra $$extra --constraint requirements.lock --output-file requirements-$$extra.lock || exit 1; \
	done
	$(LOCK) --extra dev --extra cluster --extra ingest --constraint requirements.lock --output-file requirements-dev.lock

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache build dist

# one environment, filled from the lock that the target needs
define fill
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv 2>/dev/null || true
	@if [ -x $(BIN)/uv ] && $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r $(1); then :; \
	 else $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(1); fi
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@
endef

$(VENV)/.runtime: requirements.lock pyproject.toml
	$(call fill,requirements.lock)

$(VENV)/.dev: requirements-dev.lock pyproject.toml
	$(call fill,requirements-dev.lock)

$(VENV)/.lab: requirements-lab.lock pyproject.toml
	$(call fill,requirements-lab.lock)
